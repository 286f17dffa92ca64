"""Activations: elementwise functions, and the softmax along the last axis.

Every class is a layer without parameters: x and y have the same shape and dtype.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.layer import Array, Cache, Gradients, Layer, Params, expect_floats, expect_shape


def sigmoid(x: Array) -> Array:
    """Return σ(x) = 1 / (1 + e⁻ˣ), written as (1 + tanh(x/2)) / 2, which cannot overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


def softmax(z: Array) -> Array:
    """Return the softmax of z (..., C) along its last axis; safe for any finite z.

    An entry of -∞ has probability zero, as long as one of its row is finite: so masks act.

    Subtracting the row's maximum changes nothing, since it divides numerator and denominator by
    the same number, but keeps every exponent at or below zero.
    """
    exponentials = np.exp(z - z.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def log_softmax(z: Array) -> Array:
    """Return the logarithm of the softmax of z (..., C), without ever forming the softmax."""
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def erf(x: Array) -> Array:
    """Return the error function of x, from SciPy, or from CuPy for an array on the GPU."""
    if isinstance(x, np.ndarray | np.generic):
        from scipy.special import erf as error_function  # here, so that importing stays quick
    else:
        from cupyx.scipy.special import erf as error_function
    return error_function(x)


@dataclass(frozen=True)
class Sigmoid(Layer):
    """The logistic sigmoid, y = 1 / (1 + e⁻ˣ); dy/dx = y (1 - y)."""

    def forward(self, params: Params, x: Array) -> tuple[Array, Cache]:
        expect_floats("x", x)
        y = sigmoid(x)
        return y, y

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        y = cache
        return (dy * y * (1 - y),), {}


@dataclass(frozen=True)
class Tanh(Layer):
    """The hyperbolic tangent, y = tanh x; dy/dx = 1 - y²."""

    def forward(self, params: Params, x: Array) -> tuple[Array, Cache]:
        expect_floats("x", x)
        y = np.tanh(x)
        return y, y

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        y = cache
        return (dy * (1 - y * y),), {}


@dataclass(frozen=True)
class ReLU(Layer):
    """The rectified linear unit, y = max(x, 0); its derivative at the corner is taken as 0."""

    def forward(self, params: Params, x: Array) -> tuple[Array, Cache]:
        expect_floats("x", x)
        return np.maximum(x, 0), x > 0

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        positive = cache
        return (dy * positive,), {}


SQRT_2 = float(np.sqrt(2))
SQRT_2_OVER_PI = float(np.sqrt(2 / np.pi))
CUBIC = 0.044715


@dataclass(frozen=True)
class GELU(Layer):
    """The Gaussian error linear unit, y = x Φ(x), Φ the normal distribution's CDF.

    `approximate="none"` is exact: Φ(x) = (1 + erf(x/√2)) / 2. `approximate="tanh"` is the form
    Φ(x) ≈ (1 + tanh u) / 2 with u = √(2/π) (x + 0.044715 x³), which GPT-2 uses
    (Hendrycks and Gimpel 2016, section 2).
    """

    approximate: Literal["none", "tanh"] = "none"

    def __post_init__(self) -> None:
        if self.approximate not in ("none", "tanh"):
            raise HyperparameterError(
                f'approximate is {self.approximate!r}, expected "none" or "tanh".'
            )

    def forward(self, params: Params, x: Array) -> tuple[Array, Cache]:
        expect_floats("x", x)
        cdf, slope = self._exact(x) if self.approximate == "none" else self._tanh(x)
        return x * cdf, (x, cdf, slope)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        x, cdf, slope = cache
        return (dy * (cdf + x * slope),), {}

    def _exact(self, x: Array) -> tuple[Array, Array]:
        """Return Φ(x) and its slope, the normal density."""
        return 0.5 * (1 + erf(x / SQRT_2)), np.exp(-0.5 * x * x) * (0.5 * SQRT_2_OVER_PI)

    def _tanh(self, x: Array) -> tuple[Array, Array]:
        """Return the approximation of Φ(x), and its slope by the chain rule."""
        x_squared = x * x
        t = np.tanh(SQRT_2_OVER_PI * x * (1 + CUBIC * x_squared))
        du_dx = SQRT_2_OVER_PI * (1 + 3 * CUBIC * x_squared)
        return 0.5 * (1 + t), 0.5 * (1 - t * t) * du_dx


@dataclass(frozen=True)
class Softmax(Layer):
    """The softmax along the last axis: y_i = e^{z_i} / Σ_j e^{z_j}.

    Shapes: z (..., C), y (..., C). With p = y the Jacobian is diag(p) - p pᵀ, so
    dz = p ⊙ (dy - ⟨dy, p⟩).
    """

    def forward(self, params: Params, z: Array) -> tuple[Array, Cache]:
        expect_floats("z", z)
        expect_shape("z", z, "...", "C")
        p = softmax(z)
        return p, p

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        p = cache
        return (p * (dy - (dy * p).sum(axis=-1, keepdims=True)),), {}
