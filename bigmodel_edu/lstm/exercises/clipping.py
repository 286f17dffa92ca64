"""An exercise: clipping by the global norm."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array


def clip_by_global_norm(gradients: list[Array], max_norm: float) -> tuple[list[Array], float]:
    """Return the gradients scaled together to a norm of at most `max_norm`, and the old norm."""
    norm = float(np.sqrt(sum((g**2).sum() for g in gradients)))
    scale = 1.0 if norm <= max_norm else max_norm / norm
    return [g * scale for g in gradients], norm


def _clip_cases(rng: np.random.Generator) -> list[Case]:
    def drawn(scale: float, *shapes: tuple[int, ...]) -> list[Array]:
        return [scale * rng.normal(size=shape) for shape in shapes]

    return [
        Case((drawn(2.0, (3, 5), (7,), (2, 3)), 1.5), note="too long"),
        Case((drawn(0.01, (4, 3), (5,)), 1.0), note="short enough"),
        Case(([np.zeros((2, 3)), np.zeros(4)], 1.0), note="all zeros"),
        Case((drawn(30.0, (11,), (1, 1)), 5.0), note="far too long"),
    ]


def _clip_each(gradients: list[Array], max_norm: float) -> tuple[list[Array], float]:
    clipped = [clip_by_global_norm([g], max_norm)[0][0] for g in gradients]
    return clipped, clip_by_global_norm(gradients, max_norm)[1]


def _clip_always(gradients: list[Array], max_norm: float) -> tuple[list[Array], float]:
    norm = clip_by_global_norm(gradients, max_norm)[1]
    return [g * (max_norm / max(norm, 1e-300)) for g in gradients], norm


def _clip_always_and_divide_by_zero(
    gradients: list[Array], max_norm: float
) -> tuple[list[Array], float]:
    norm = np.sqrt(sum((g**2).sum() for g in gradients))
    with np.errstate(all="ignore"):
        return [g * (max_norm / norm) for g in gradients], float(norm)


def _clip_without_the_root(gradients: list[Array], max_norm: float) -> tuple[list[Array], float]:
    norm = float(sum((g**2).sum() for g in gradients))
    scale = 1.0 if norm <= max_norm else max_norm / norm
    return [g * scale for g in gradients], norm


_ONLY_SHORTENS = "You scaled short gradients up. Clipping only shortens: the factor is at most 1."

CLIP_BY_GLOBAL_NORM = Exercise(
    name="lstm.clip_by_global_norm",
    title="Clipping by the global norm",
    points=2,
    stars=2,
    parts=("the clipped gradients", "the norm"),
    reference=clip_by_global_norm,
    cases=_clip_cases,
    tolerance=1e-5,  # PyTorch adds 10⁻⁶ to the norm it divides by; that is no mistake
    mistakes=(
        Mistake(
            _clip_each,
            "You clipped each array by its own norm, which changes the direction of the whole "
            "gradient. Compute one norm over all arrays, and scale all by the same number.",
        ),
        Mistake(_clip_always, _ONLY_SHORTENS),
        Mistake(_clip_always_and_divide_by_zero, _ONLY_SHORTENS),
        Mistake(
            _clip_without_the_root,
            "Your norm is the sum of the squares; the norm is its root.",
        ),
        Mistake(
            lambda gradients, max_norm: (
                [np.clip(g, -max_norm, max_norm) for g in gradients],
                clip_by_global_norm(gradients, max_norm)[1],
            ),
            "You clipped every element by itself, which changes the direction of the gradient.",
        ),
        Mistake(
            lambda gradients, max_norm: (
                clip_by_global_norm(gradients, max_norm)[0],
                sum(float(np.sqrt((g**2).sum())) for g in gradients),
            ),
            "The norm of all arrays together is not the sum of their norms: add up the squares of "
            "all elements, then take one root.",
        ),
        Mistake(
            lambda gradients, max_norm: (
                clip_by_global_norm(gradients, max_norm)[0],
                min(clip_by_global_norm(gradients, max_norm)[1], max_norm),
            ),
            "Return the norm from before the clipping: it is what one watches during training.",
        ),
        Mistake(
            lambda gradients, max_norm: (
                clip_by_global_norm(gradients, max_norm)[0],
                clip_by_global_norm(gradients, max_norm)[1] ** 2,
            ),
            "You returned the sum of the squares; the norm is its root.",
        ),
    ),
    hints=(
        "One norm for everything: the root of the sum of the squares of all elements of all "
        "arrays.",
        "If the norm is larger than max_norm, multiply every array by max_norm / norm.",
        "norm = np.sqrt(sum((g**2).sum() for g in gradients)); "
        "scale = 1.0 if norm <= max_norm else max_norm / norm",
    ),
)
