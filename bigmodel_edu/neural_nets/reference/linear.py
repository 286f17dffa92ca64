"""The linear layer."""

from dataclasses import dataclass

import numpy as np

from bigmodel_edu.layer import (
    Array,
    Cache,
    Gradients,
    Layer,
    Params,
    expect_count,
    expect_floats,
    expect_shape,
)

from .initialization import he_normal


@dataclass(frozen=True)
class Linear(Layer):
    """A linear (more exactly: affine) layer, y = x Wᵀ + b.

    Shapes: x (..., D), weight (H, D), bias (H,), y (..., H), with D = `in_features` and
    H = `out_features`. Weights start from the He normal distribution, biases from zero.
    """

    in_features: int
    out_features: int

    def __post_init__(self) -> None:
        expect_count("in_features", self.in_features)
        expect_count("out_features", self.out_features)

    def init(self, rng: np.random.Generator) -> Params:
        shape = (self.out_features, self.in_features)
        return {"weight": he_normal(rng, shape), "bias": np.zeros(self.out_features)}

    def forward(self, params: Params, x: Array) -> tuple[Array, Cache]:
        expect_floats("x", x)
        expect_shape("x", x, "...", self.in_features)
        return x @ params["weight"].T + params["bias"], x

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        x = cache
        dx = dy @ params["weight"]
        dy_rows = dy.reshape(-1, self.out_features)
        x_rows = x.reshape(-1, self.in_features)
        return (dx,), {"weight": dy_rows.T @ x_rows, "bias": dy_rows.sum(axis=0)}
