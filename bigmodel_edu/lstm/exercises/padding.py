"""An exercise: the loss of padded sequences."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array


def masked_mean_loss(losses: Array, lengths: Array) -> float:
    """Return the mean of losses (B, T) over the first `lengths` (B,) steps of each row."""
    is_real = np.arange(losses.shape[1]) < lengths[:, None]
    return float(losses[is_real].sum() / is_real.sum())


def _masked(losses: Array, lengths: Array, shift: int = 0) -> Array:
    return np.arange(losses.shape[1]) < lengths[:, None] + shift


_ONE_STEP_TOO_MANY = (
    "You took one step too many: steps are counted from 0, so step t is real if t < length."
)

MASKED_MEAN_LOSS = Exercise(
    name="lstm.masked_mean_loss",
    title="The loss of padded sequences",
    points=2,
    stars=2,
    reference=masked_mean_loss,
    cases=lambda rng: [
        Case((rng.gamma(2.0, size=(n, t)), np.array(lengths)), note=note)
        for n, t, lengths, note in (
            (3, 7, [7, 2, 4], "three lengths"),
            (1, 5, [1], "one real step"),
            (5, 11, [11, 3, 8, 1, 5], "five lengths"),
            (2, 3, [3, 2], "nearly no padding"),
        )
    ],
    mistakes=(
        Mistake(
            lambda losses, lengths: float(losses.mean()),
            "You averaged over the padded steps too.",
        ),
        Mistake(
            lambda losses, lengths: float(np.where(_masked(losses, lengths), losses, 0).mean()),
            "The padded losses are out of the sum, but their number still divides it: divide by "
            "the number of real steps, lengths.sum().",
        ),
        Mistake(
            lambda losses, lengths: float(
                (np.where(_masked(losses, lengths), losses, 0).sum(axis=1) / lengths).mean()
            ),
            "You averaged each sequence, then the sequences, so that a step of a short sequence "
            "weighs more. Every real step is to count the same.",
        ),
        Mistake(
            lambda losses, lengths: float(
                np.where(_masked(losses, lengths, shift=1), losses, 0).sum()
                / np.minimum(lengths + 1, losses.shape[1]).sum()
            ),
            _ONE_STEP_TOO_MANY,
        ),
        Mistake(
            lambda losses, lengths: float(
                np.where(_masked(losses, lengths, shift=1), losses, 0).sum() / lengths.sum()
            ),
            _ONE_STEP_TOO_MANY,
        ),
        Mistake(
            lambda losses, lengths: float(np.where(_masked(losses, lengths), losses, 0).sum()),
            "This is the sum over the real steps; the mean divides it by their number.",
        ),
    ),
    hints=(
        "Make an array of booleans of shape (B, T): True where a step is real.",
        "np.arange(T) < lengths[:, None] compares each step with each length.",
        "is_real = np.arange(losses.shape[1]) < lengths[:, None]; "
        "return losses[is_real].sum() / is_real.sum()",
    ),
)
