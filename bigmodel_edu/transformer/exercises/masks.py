"""An exercise: the mask of a cached step."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from .. import reference as ref


def causal_mask_for_step(n_new: int, n_cached: int) -> Array:
    """Return the mask (n_new, n_cached + n_new) of new tokens behind cached ones, True = looks."""
    return ref.causal_mask(n_new, n_cached + n_new)


CAUSAL_MASK_FOR_STEP = Exercise(
    name="transformer.causal_mask_for_step",
    title="The mask of a cached step",
    points=1,
    stars=1,
    reference=causal_mask_for_step,
    cases=lambda rng: [
        Case((3, 5)),
        Case((int(rng.integers(2, 9)), int(rng.integers(10, 20)))),
        Case((1, int(rng.integers(2, 9))), note="one new token"),
        Case((int(rng.integers(2, 9)), 0), note="nothing cached yet"),
    ],
    mistakes=(
        Mistake(
            lambda n_new, n_cached: np.tri(n_new, dtype=bool),
            "The cached keys have no columns in your mask: the new tokens look at them too, so "
            "there are n_cached + n_new.",
        ),
        Mistake(
            lambda n_new, n_cached: np.tri(n_new, n_cached + n_new, dtype=bool),
            "Your diagonal starts at the first cached key, as if the cache were not over yet. The "
            "first new token stands behind all n_cached keys and sees them all, and itself.",
        ),
        Mistake(
            lambda n_new, n_cached: ~causal_mask_for_step(n_new, n_cached),
            "Your mask is upside down: True means that the token may look there.",
        ),
        Mistake(
            lambda n_new, n_cached: np.tri(n_new, n_cached + n_new, n_cached - 1, dtype=bool),
            "In your mask a token does not see itself. It may: its own key is known when it looks.",
        ),
        Mistake(
            lambda n_new, n_cached: np.ones((n_new, n_cached + n_new), dtype=bool),
            "Your new tokens see each other's future. That is right for one new token; several "
            "must be masked among themselves.",
        ),
        Mistake(
            lambda n_new, n_cached: np.tri(n_new, n_cached + n_new, n_cached),
            "The places are right, but the mask holds numbers. Booleans are wanted: "
            "`dtype=bool`, or a comparison.",
        ),
    ),
    hints=(
        "New token i stands at position n_cached + i. Which keys are not later than that?",
        "Compare positions: np.arange(n_cached + n_new), a row of keys, with the positions of the "
        "new tokens as a column.",
        "return np.arange(n_cached + n_new) <= n_cached + np.arange(n_new)[:, None]",
    ),
)
