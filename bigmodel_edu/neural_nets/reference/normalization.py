"""Normalisation: over the batch, and over the features of one example."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bigmodel_edu.errors import HyperparameterError, ShapeError
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


def normalize(x: Array, axis: int, eps: float) -> tuple[Array, Array, Array, Array]:
    """Return x̂ = (x - μ) / √(v + ε) along `axis`, with √(v + ε)⁻¹, μ and the biased variance v."""
    mean = x.mean(axis=axis, keepdims=True)
    centred = x - mean
    variance = np.square(centred).mean(axis=axis, keepdims=True)
    inverse_std = 1 / np.sqrt(variance + eps)
    x_hat = centred * inverse_std
    return x_hat, inverse_std, mean, variance


def normalize_backward(x_hat: Array, inverse_std: Array, dx_hat: Array, axis: int) -> Array:
    """Return dx: the part of dx̂ along the constant and along x̂ is taken out, then rescaled.

    Both parts vanish because x̂ does not change when a constant is added to x, nor (but for ε) when
    x is stretched.
    """
    # dx = (dx̂ - mean(dx̂) - x̂ mean(dx̂ ⊙ x̂)) / √(v + ε)
    along_constant = dx_hat.mean(axis=axis, keepdims=True)
    along_x_hat = (dx_hat * x_hat).mean(axis=axis, keepdims=True)
    dx = dx_hat - along_constant
    dx -= along_x_hat * x_hat
    dx *= inverse_std
    return dx


@dataclass(frozen=True)
class BatchNorm1d(Layer):
    """Batch normalisation of each feature (Ioffe and Szegedy 2015, algorithms 1 and 2).

    Training: y = γ x̂ + β with mean and (biased) variance of the batch; the running statistics
    move by r ← (1 - m) r + m · statistic, the variance with the factor N / (N - 1), as in PyTorch.
    Inference: the same with the running statistics.

    Shapes: x (N, D), y (N, D), D = `num_features`; weight γ, bias β, running_mean and running_var
    (D,), num_batches_tracked ().
    """

    num_features: int
    eps: float = 1e-5
    momentum: float = 0.1
    mode_dependent: ClassVar[bool] = True

    def __post_init__(self) -> None:
        expect_count("num_features", self.num_features)
        expect_not_negative("eps", self.eps)
        if not 0 <= self.momentum <= 1:
            raise HyperparameterError(
                f"momentum is {self.momentum}, expected a number from 0 to 1: the weight of the "
                "newest batch in the running statistics."
            )

    def init(self, rng: np.random.Generator) -> Params:
        d = self.num_features
        return {
            "weight": np.ones(d),
            "bias": np.zeros(d),
            "running_mean": np.zeros(d),
            "running_var": np.ones(d),
            "num_batches_tracked": np.array(0),
        }

    def forward(
        self,
        params: Params,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Cache]:
        expect_floats("x", x)
        expect_shape("x", x, "N", self.num_features)
        if training and len(x) == 1:
            raise ShapeError(
                "x has one example, expected at least two: the variance of a batch of one is zero; "
                "use a larger batch, or training=False."
            )
        if training:
            x_hat, inverse_std, mean, variance = normalize(x, axis=0, eps=self.eps)
            statistics = (mean[0], variance[0], len(x))
        else:
            inverse_std = 1 / np.sqrt(params["running_var"] + self.eps)
            x_hat = (x - params["running_mean"]) * inverse_std
            statistics = None
        return params["weight"] * x_hat + params["bias"], (x_hat, inverse_std, statistics)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        x_hat, inverse_std, statistics = cache
        dx_hat = dy * params["weight"]
        if statistics is None:  # the running statistics do not depend on x
            dx = dx_hat * inverse_std
        else:
            dx = normalize_backward(x_hat, inverse_std, dx_hat, axis=0)
        return (dx,), {"weight": (dy * x_hat).sum(axis=0), "bias": dy.sum(axis=0)}

    def updated_buffers(self, params: Params, cache: Cache) -> Params:
        _, _, statistics = cache
        if statistics is None:
            return {}
        mean, variance, n = statistics
        m = self.momentum
        return {
            "running_mean": (1 - m) * params["running_mean"] + m * mean,
            "running_var": (1 - m) * params["running_var"] + m * variance * (n / (n - 1)),
            "num_batches_tracked": params["num_batches_tracked"] + 1,
        }


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Normalisation over the features of each example (Ba et al. 2016, eq. 4).

    y = γ (x - μ) / √(v + ε) + β, with mean μ and biased variance v along the last axis.

    Shapes: x (..., D), y (..., D), weight γ and bias β (D,), D = `normalized_shape`.
    """

    normalized_shape: int
    eps: float = 1e-5

    def __post_init__(self) -> None:
        expect_count("normalized_shape", self.normalized_shape)
        expect_not_negative("eps", self.eps)

    def init(self, rng: np.random.Generator) -> Params:
        return {"weight": np.ones(self.normalized_shape), "bias": np.zeros(self.normalized_shape)}

    def forward(self, params: Params, x: Array) -> tuple[Array, Cache]:
        expect_floats("x", x)
        expect_shape("x", x, "...", self.normalized_shape)
        x_hat, inverse_std, _, _ = normalize(x, axis=-1, eps=self.eps)
        return params["weight"] * x_hat + params["bias"], (x_hat, inverse_std)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        x_hat, inverse_std = cache
        # y = γ x̂ + β:  dx̂ = γ dy,  dγ = Σ dy ⊙ x̂,  dβ = Σ dy
        dx = normalize_backward(x_hat, inverse_std, dy * params["weight"], axis=-1)
        batch_axes = tuple(range(dy.ndim - 1))
        grads = {"weight": (dy * x_hat).sum(axis=batch_axes), "bias": dy.sum(axis=batch_axes)}
        return (dx,), grads
