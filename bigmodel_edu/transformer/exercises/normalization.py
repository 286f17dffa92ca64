"""An exercise: RMSNorm, backwards."""

from collections.abc import Callable

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from .. import reference as ref


def rms_norm_backward(x: Array, weight: Array, dy: Array, eps: float = 1e-6) -> tuple[Array, Array]:
    """Return the gradients of RMSNorm at x (..., D) and at weight (D,)."""
    layer = ref.RMSNorm(len(weight), eps)
    _, cache = layer.forward({"weight": weight}, x)
    (dx,), grads = layer.backward({"weight": weight}, cache, dy)
    return dx, grads["weight"]


def _rms_variant(
    dx: Callable[[Array, Array, Array], Array] = lambda g, x_hat, r: (
        (g - x_hat * (g * x_hat).mean(axis=-1, keepdims=True)) / r
    ),
    upstream: Callable[[Array, Array], Array] = lambda dy, weight: dy * weight,
    root: Callable[[Array, float], Array] = lambda square, eps: np.sqrt(square + eps),
    to_weight: Callable[[Array, Array, Array], Array] = lambda dy, x_hat, x: (
        (dy * x_hat).reshape(-1, dy.shape[-1]).sum(axis=0)
    ),
):
    """Return RMSNorm's gradients with something changed; r is the root mean square."""

    def backward(x, weight, dy, eps=1e-6):
        with np.errstate(all="ignore"):
            r = root((x**2).mean(axis=-1, keepdims=True), eps)
            x_hat = x / r
            return dx(upstream(dy, weight), x_hat, r), to_weight(dy, x_hat, x)

    return backward


def _rms_cases(rng: np.random.Generator) -> list[Case]:
    def drawn(*shape: int, size: float = 1.0) -> tuple[Array, Array, Array]:
        x = size * (rng.normal(size=shape) + 0.5)
        return x, rng.normal(size=shape[-1]), rng.normal(size=shape)

    zero_row = drawn(4, 3)
    zero_row[0][1] = 0
    return [
        Case(drawn(5, 7)),
        Case(drawn(2, 3, 5), note="three axes"),
        Case(drawn(1, 11, size=1e-3), note="so small that eps matters"),
        Case(drawn(3, 2), {"eps": 0.1}, note="another eps"),
        Case(zero_row, note="a row of zeros"),
        Case(drawn(13), note="one axis"),
    ]


RMS_NORM_BACKWARD = Exercise(
    name="transformer.rms_norm_backward",
    title="RMSNorm, backwards",
    points=3,
    stars=3,
    parts=("dx", "dweight"),
    reference=rms_norm_backward,
    cases=_rms_cases,
    mistakes=(
        Mistake(
            _rms_variant(lambda g, x_hat, r: g / r),
            "You treated the root mean square as a constant. It is made of the very x that you "
            "differentiate by: the part of dx̂ along x̂ is taken out.",
        ),
        Mistake(
            _rms_variant(
                lambda g, x_hat, r: (
                    (
                        g
                        - g.mean(axis=-1, keepdims=True)
                        - x_hat * (g * x_hat).mean(axis=-1, keepdims=True)
                    )
                    / r
                )
            ),
            "You subtracted the mean of dx̂, as LayerNorm does. RMSNorm takes no mean off x, so "
            "none comes off the gradient.",
        ),
        Mistake(
            _rms_variant(upstream=lambda dy, weight: dy),
            "The weight is missing in dx: dx̂ = dy ⊙ weight. As long as the weight is 1, nobody "
            "notices.",
        ),
        Mistake(
            _rms_variant(
                lambda g, x_hat, r: (g - x_hat * (g * x_hat).sum(axis=-1, keepdims=True)) / r
            ),
            "x̂ has the length √D, so its part in dx̂ is x̂ times the mean of dx̂ ⊙ x̂; you took the "
            "sum.",
        ),
        Mistake(
            _rms_variant(
                lambda g, x_hat, r: (
                    (g - x_hat * (g * x_hat).reshape(-1, g.shape[-1]).mean(axis=0)) / r
                )
            ),
            "You averaged over the rows. Each row is normalised by itself, so the mean goes over "
            "its features, the last axis.",
        ),
        Mistake(
            _rms_variant(lambda g, x_hat, r: g - x_hat * (g * x_hat).mean(axis=-1, keepdims=True)),
            "The factor 1/r is missing in dx: x̂ = x / r.",
        ),
        Mistake(
            _rms_variant(root=lambda square, eps: np.sqrt(square) + eps),
            "The eps belongs inside the root: √(mean(x²) + eps).",
        ),
        Mistake(
            _rms_variant(root=lambda square, eps: np.sqrt(square + 1e-6)),
            "The eps is 10⁻⁶ in your code, whatever `eps` says.",
        ),
        Mistake(
            _rms_variant(root=lambda square, eps: np.sqrt(square)),
            "The eps is missing: r = √(mean(x²) + eps), also backwards.",
        ),
        Mistake(
            _rms_variant(
                to_weight=lambda dy, x_hat, x: (dy * x).reshape(-1, dy.shape[-1]).sum(axis=0)
            ),
            "The weight was multiplied by x̂, not by x: dweight is the sum of dy ⊙ x̂ over the rows.",
        ),
        Mistake(
            _rms_variant(to_weight=lambda dy, x_hat, x: (dy * x_hat).sum(axis=0)),
            "You summed dweight over the first axis. x may have any number of axes: sum over all "
            "of them but the last.",
        ),
    ),
    hints=(
        "Compute r = √(mean(x²) + eps) and x̂ = x / r again. The weight is easy: it acts on every "
        "row, with the factor x̂.",
        "x̂_i = x_i / r and ∂r/∂x_j = x_j / (D r) = x̂_j / D, so ∂x̂_i/∂x_j = ([i = j] - "
        "x̂_i x̂_j / D) / r. Multiply by dx̂_i and add up over i.",
        "dx_hat = dy * weight; "
        "dx = (dx_hat - x_hat * (dx_hat * x_hat).mean(axis=-1, keepdims=True)) / r",
    ),
)
