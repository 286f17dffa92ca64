"""What keeps parameters and gradients small."""

from dataclasses import dataclass

import numpy as np

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.layer import (
    Array,
    Cache,
    Gradients,
    Layer,
    Params,
    expect_floats,
    expect_not_negative,
)


@dataclass(frozen=True)
class L1Penalty(Layer):
    """λ Σ |w|; its subgradient is λ sign(w), with 0 at w = 0. Shapes: w any, penalty a scalar."""

    strength: float

    def __post_init__(self) -> None:
        expect_not_negative("strength", self.strength)

    def forward(self, params: Params, w: Array) -> tuple[Array, Cache]:
        expect_floats("w", w)
        return self.strength * np.abs(w).sum(), w

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        w = cache
        return (dy * self.strength * np.sign(w),), {}


@dataclass(frozen=True)
class L2Penalty(Layer):
    """(λ / 2) Σ w²; its gradient is λ w. Shapes: w any, penalty a scalar."""

    strength: float

    def __post_init__(self) -> None:
        expect_not_negative("strength", self.strength)

    def forward(self, params: Params, w: Array) -> tuple[Array, Cache]:
        expect_floats("w", w)
        return 0.5 * self.strength * (w * w).sum(), w

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        w = cache
        return (dy * self.strength * w,), {}


def clip_gradients_by_norm(grads: Params, max_norm: float) -> tuple[Params, Array]:
    """Shrink all gradients together so that their joint norm is at most `max_norm`.

    Returns the gradients times min(1, max_norm / (‖g‖ + 10⁻⁶)) and the norm ‖g‖ before clipping
    (Pascanu et al. 2013, algorithm 1; the 10⁻⁶ is PyTorch's guard against division by zero).
    """
    if not max_norm > 0:
        raise HyperparameterError(f"max_norm is {max_norm}, expected a positive number.")
    norm = np.sqrt(sum((g * g).sum() for g in grads.values()))
    scale = np.minimum(max_norm / (norm + 1e-6), 1)
    return {name: g * scale for name, g in grads.items()}, norm
