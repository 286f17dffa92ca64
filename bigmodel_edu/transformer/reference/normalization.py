"""Root-mean-square normalisation."""

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
    expect_not_negative,
    expect_shape,
)


@dataclass(frozen=True)
class RMSNorm(Layer):
    """Division by the root mean square of the features (Zhang and Sennrich 2019, eq. 4).

    y = γ x̂, x̂ = x / √(mean(x²) + ε): LayerNorm without the mean and without β.

    Shapes: x and y (..., D), weight γ (D,), D = `normalized_shape`. With dx̂ = γ dy,
    dx = (dx̂ - x̂ mean(dx̂ ⊙ x̂)) / √(mean(x²) + ε): the part along x̂ is taken out.
    """

    normalized_shape: int
    eps: float = 1e-6

    def __post_init__(self) -> None:
        expect_count("normalized_shape", self.normalized_shape)
        expect_not_negative("eps", self.eps)

    def init(self, rng: np.random.Generator) -> Params:
        return {"weight": np.ones(self.normalized_shape)}

    def forward(self, params: Params, x: Array) -> tuple[Array, Cache]:
        expect_floats("x", x)
        expect_shape("x", x, "...", self.normalized_shape)
        # x̂ = x / √(mean(x²) + ε),  y = γ x̂
        mean_square = np.square(x).mean(axis=-1, keepdims=True)
        inverse_rms = 1 / np.sqrt(mean_square + self.eps)
        x_hat = x * inverse_rms
        return params["weight"] * x_hat, (x_hat, inverse_rms)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        x_hat, inverse_rms = cache
        d_weight = (dy * x_hat).sum(axis=tuple(range(dy.ndim - 1)))
        # dx̂ = γ dy,  dx = (dx̂ - x̂ mean(dx̂ ⊙ x̂)) / √(mean(x²) + ε)
        dx_hat = params["weight"] * dy
        along_x_hat = (dx_hat * x_hat).mean(axis=-1, keepdims=True)
        dx = (dx_hat - x_hat * along_x_hat) * inverse_rms
        return (dx,), {"weight": d_weight}
