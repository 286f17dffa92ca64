"""What the components of layers have in common: sizes, inputs, masks, and the size measured."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from bigmodel_edu.components import BenchSize

D, HEADS, KV_HEADS, FF = 16, 4, 2, 17  # heads of 4 features: two angles each


def inverted(mask: Any) -> Any:
    """Return a mask as `torch.nn.MultiheadAttention` reads it: True where not to look."""
    return None if mask is None else ~mask


def torch_layer(
    layer: type[torch.nn.Module], d_model: int, num_heads: int, d_ff: int, **options: Any
) -> torch.nn.Module:
    """Return one of PyTorch's layers, batch first and without dropout."""
    return layer(d_model, num_heads, d_ff, dropout=0.0, batch_first=True, **options)


def sequences(*widths: int, lengths: tuple[int, ...] = (7, 11)) -> Callable[..., dict]:
    """Return inputs x (batch, 7, width) and, for a second width, memory (batch, 11, width)."""
    names = ("x", "memory")

    def draw(rng: np.random.Generator, batch: int) -> dict:
        return {
            name: rng.normal(size=(batch, length, width))
            for name, length, width in zip(names, lengths, widths, strict=False)
        }

    return draw


def random_mask(n_queries: int, n_keys: int) -> np.ndarray:
    """Return a boolean mask (T, S); every query may look at the key of its own number."""
    mask = np.random.default_rng(3).random((n_queries, n_keys)) < 0.6
    return mask | np.eye(n_queries, n_keys, dtype=bool)


def sequence_bench(
    build: Callable[[Any], Any], builtin: Callable[[], Any] | None = None
) -> BenchSize:
    """Return the measured size of a layer on sequences (8, 128, 256)."""
    return BenchSize(
        shape="(8, 128, 256)",
        build=build,
        inputs=lambda rng: {"x": rng.normal(size=(8, 128, 256))},
        builtin=builtin,
    )
