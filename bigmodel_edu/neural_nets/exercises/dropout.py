"""An exercise: dropout."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from ..reference import Dropout


def dropout(x: Array, mask: Array, p: float) -> Array:
    """Return x with the units dropped where mask is 0, and the others scaled."""
    y, _ = Dropout(p).forward({}, x, training=True, mask=mask)
    return y


def _dropout_cases(rng: np.random.Generator) -> list[Case]:
    first, *others = (
        Case((rng.normal(size=shape), (rng.random(shape) >= p).astype(float), p))
        for shape, p in (((5, 7), 0.3), ((1, 11), 0.8), ((3, 2), 0.0))
    )
    return [first, first.in_batch_of(2, 0, 1), *others]


DROPOUT = Exercise(
    name="neural_nets.dropout",
    title="Dropout keeps the expectation",
    points=1,
    stars=1,
    reference=dropout,
    cases=_dropout_cases,
    mistakes=(
        Mistake(
            lambda x, mask, p: x * mask,
            "Units are dropped, but the rest is not scaled up: on average the signal shrinks "
            "by 1 - p.",
        ),
        Mistake(
            lambda x, mask, p: x * mask / p if p else x * mask,
            "You divided by p, the share that is dropped; divide by the share that is kept, 1 - p.",
        ),
        Mistake(
            lambda x, mask, p: x * mask / np.maximum(mask.mean(), 1e-300),
            "You divided by the share that this mask happens to keep. The scale is fixed, "
            "1 / (1 - p): only over many masks must the average be right.",
        ),
        Mistake(
            lambda x, mask, p: x * mask * p,
            "You multiplied by p. The kept units must grow, by 1 / (1 - p), to make up for the "
            "dropped ones.",
        ),
        Mistake(
            lambda x, mask, p: x * mask * (1 - p),
            "You multiplied by 1 - p. The kept units must grow to make up for the dropped ones.",
        ),
        Mistake(
            lambda x, mask, p: x * (1 - mask) / (1 - p),
            "You kept the units that were to be dropped: mask is 1 where a unit stays.",
        ),
    ),
    hints=(
        "A unit is kept with probability 1 - p. What factor makes its average x again?",
        "E[mask] = 1 - p, so E[mask · x · s] = x needs s = …",
        "return x * mask / (1 - p)",
    ),
)
