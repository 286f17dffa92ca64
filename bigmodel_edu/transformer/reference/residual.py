"""The residual connection around a sublayer, with its norm before or after."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bigmodel_edu.layer import Array, Cache, Gradients, Layer, Params
from bigmodel_edu.neural_nets.reference import Dropout

Sublayer = Callable[[Array], tuple[Array, Cache]]
SublayerBackward = Callable[[Cache, Array], Gradients]


@dataclass(frozen=True)
class Residual:
    """A sublayer f with dropout, a residual connection and a norm.

    Post-norm (Vaswani et al. 2017, sections 3.1 and 5.4): y = norm(x + dropout(f(x))).
    Pre-norm (Xiong et al. 2020, table 1): y = x + dropout(f(norm(x))).

    Shapes: x and y (B, T, D).
    """

    norm: Layer
    dropout: Dropout
    norm_first: bool
    mode_dependent: ClassVar[bool] = True

    def forward(
        self,
        norm_params: Params,
        x: Array,
        sublayer: Sublayer,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Cache]:
        normed, norm_cache = self.norm.forward(norm_params, x) if self.norm_first else (x, None)
        y, cache = sublayer(normed)
        y, dropout_cache = self.dropout.forward(
            {}, y, training=training and self.dropout.p > 0, rng=rng
        )
        y = x + y
        if not self.norm_first:
            y, norm_cache = self.norm.forward(norm_params, y)
        return y, (norm_cache, cache, dropout_cache)

    def backward(
        self, norm_params: Params, cache: Cache, dy: Array, sublayer_backward: SublayerBackward
    ) -> tuple[tuple[Array | None, ...], Params, Params]:
        """Return the gradients of x and of the sublayer's other inputs, of the norm, of f."""
        norm_cache, sublayer_cache, dropout_cache = cache
        norm_grads: Params = {}
        if not self.norm_first:
            (dy,), norm_grads = self.norm.backward(norm_params, norm_cache, dy)
        (d_branch,), _ = self.dropout.backward({}, dropout_cache, dy)
        (d_branch, *others), grads = sublayer_backward(sublayer_cache, d_branch)
        if self.norm_first:
            (d_branch,), norm_grads = self.norm.backward(norm_params, norm_cache, d_branch)
        return (dy + d_branch, *others), norm_grads, grads  # the residual adds both ways
