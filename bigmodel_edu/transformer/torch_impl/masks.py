"""Masks in PyTorch."""

import torch
from torch import Tensor


def causal_mask(n_queries: int, n_keys: int | None = None, **options: object) -> Tensor:
    """Return the causal mask (T, S), the queries being the last of the keys."""
    n_keys = n_queries if n_keys is None else n_keys
    ones = torch.ones(n_queries, n_keys, dtype=torch.bool, **options)
    return ones.tril(n_keys - n_queries)
