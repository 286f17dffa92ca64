"""Splitting a data set for k-fold cross-validation."""

from collections.abc import Iterator

import numpy as np

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.layer import Array


def k_fold(
    n: int, k: int, *, rng: np.random.Generator | None = None
) -> Iterator[tuple[Array, Array]]:
    """Return k pairs (training indices, validation indices) of n examples, one after the other.

    Every example is in exactly one validation part; the first n mod k parts hold one example more.
    With `rng` the examples are shuffled first.
    """
    if not 2 <= k <= n:
        raise HyperparameterError(
            f"k is {k} for {n} examples, expected from 2 to {n}: every part needs an example."
        )
    order = np.arange(n) if rng is None else rng.permutation(n)
    return (_without(validation, n) for validation in np.array_split(order, k))


def _without(validation: Array, n: int) -> tuple[Array, Array]:
    """Return the indices below n that are not in `validation`, and `validation`, both sorted."""
    is_training = np.ones(n, dtype=bool)
    is_training[validation] = False
    return np.flatnonzero(is_training), np.sort(validation)
