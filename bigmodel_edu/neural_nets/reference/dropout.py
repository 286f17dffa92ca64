"""Dropout."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bigmodel_edu.errors import BookError, HyperparameterError
from bigmodel_edu.layer import Array, Cache, Gradients, Layer, Params, expect_floats, expect_shape


@dataclass(frozen=True)
class Dropout(Layer):
    """Inverted dropout (Srivastava et al. 2014): y = mask ⊙ x / (1 - p) in training, else y = x.

    The mask holds ones where a unit is kept, which happens with probability 1 - p; dividing by
    1 - p keeps the expectation of y equal to x.

    Shapes: x, y and mask alike, of any shape; the mask holds booleans or numbers. In training give
    either `mask` or `rng`.
    """

    p: float = 0.5
    mode_dependent: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.p < 1:
            raise HyperparameterError(
                f"p is {self.p}, expected a probability from 0 to below 1: the share to drop."
            )

    def forward(
        self,
        params: Params,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
        mask: Array | None = None,
    ) -> tuple[Array, Cache]:
        expect_floats("x", x)
        if not training or (self.p == 0 and mask is None):  # nothing to drop
            return x, None
        if mask is None:
            mask = self.draw_mask(x, rng)
        expect_shape("mask", mask, *x.shape)
        scale = mask.astype(x.dtype, copy=False) * (1 / (1 - self.p))
        return x * scale, scale

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        scale = cache
        return (dy if scale is None else dy * scale,), {}

    def draw_mask(self, x: Array, rng: np.random.Generator | None) -> Array:
        """Return a mask of x's shape and dtype: ones where a unit is kept, zeros elsewhere."""
        if rng is None:
            raise BookError(
                "dropout in training needs randomness: pass rng=np.random.default_rng(seed) "
                "(or mask=…) to forward."
            )
        kept = rng.random(x.shape, dtype=np.float32) >= self.p
        return np.asarray(kept, dtype=x.dtype, like=x)
