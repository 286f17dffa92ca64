"""An exercise: early stopping."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake

from ..experiments.training import early_stopping


def _stops_without_improvement_on_the_last(losses: list[float], patience: int):
    worse = 0
    for epoch in range(1, len(losses)):
        worse = worse + 1 if losses[epoch] >= losses[epoch - 1] else 0
        if worse >= patience:
            return int(np.argmin(losses[: epoch + 1])), epoch
    return int(np.argmin(losses)), None


def _last_best(losses: list[float], patience: int):
    best = 0
    for epoch, loss in enumerate(losses):
        if loss <= losses[best]:
            best = epoch
        elif epoch - best >= patience:
            return best, epoch
    return best, None


def _always_stopping(losses: list[float], patience: int):
    best, stop = early_stopping(losses, patience)
    return best, len(losses) - 1 if stop is None else stop


def _one_epoch_late(losses: list[float], patience: int):
    return early_stopping(losses, patience + 1)


EARLY_STOPPING = Exercise(
    name="neural_nets.early_stopping",
    title="Early stopping",
    points=2,
    stars=2,
    parts=("best", "stop"),
    reference=early_stopping,
    cases=lambda rng: [
        Case(([3.0, 2.0, 1.0, 1.5, 1.6, 1.7, 0.5], 3), note="the best comes after the stop"),
        Case(([3.0, 2.0, 2.5, 1.9, 2.5, 1.8], 2), note="ups and downs, but it goes on"),
        Case(([2.0, 1.0, 1.5, 1.4, 1.3, 1.2], 3), note="falling again, yet never below the best"),
        Case(([1.0, 1.0, 1.0, 1.0], 2), note="equal losses are no improvement"),
        Case(((1 + rng.random(40)).tolist(), 7)),
    ],
    mistakes=(
        Mistake(
            _stops_without_improvement_on_the_last,
            "You compared each loss with the one before it; compare it with the best so far, or a "
            "loss that climbs in a zigzag never stops the training.",
        ),
        Mistake(
            _last_best,
            "A loss equal to the best is no improvement: keep the first of equals.",
        ),
        Mistake(
            _one_epoch_late,
            "You stop one epoch late: stop as soon as the best is `patience` epochs ago.",
        ),
        Mistake(
            lambda losses, patience: (min(losses), early_stopping(losses, patience)[1]),
            "`best` is an epoch, the index of the lowest loss, not the loss itself.",
        ),
        Mistake(
            _always_stopping,
            "`stop` is None when training goes on; the last epoch is only where the list ends.",
        ),
        Mistake(
            lambda losses, patience: (int(np.argmin(losses)), early_stopping(losses, patience)[1]),
            "You looked for the best among all losses, also those after the stop, which training "
            "never gets to see.",
        ),
    ),
    hints=(
        "Walk through the losses and remember the epoch of the lowest one so far.",
        "At each epoch that is no improvement ask: how many epochs ago was the best?",
        "if loss < losses[best]: best = epoch; elif epoch - best >= patience: return best, epoch",
    ),
)
