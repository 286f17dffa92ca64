"""An exercise: macro F1."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from ..reference import accuracy, f1_score


def macro_f1(y_true: Array, y_pred: Array, n_classes: int) -> float:
    """Return the mean of the classes' F1 scores, 0 where a score is undefined."""
    return f1_score(y_true, y_pred, average="macro", n_classes=n_classes)


def _class_counts(y_true: Array, y_pred: Array, n_classes: int) -> Array:
    classes = np.arange(n_classes)[:, None]
    true, called = y_true == classes, y_pred == classes
    return np.array([(true & called).sum(1), (~true & called).sum(1), (true & ~called).sum(1)])


def _weighted_f1(y_true: Array, y_pred: Array, n_classes: int) -> float:
    tp, fp, fn = _class_counts(y_true, y_pred, n_classes)
    f1 = 2 * tp / np.maximum(2 * tp + fp + fn, 1)
    return float((f1 * (tp + fn)).sum() / len(y_true))


def _f1_of_means(y_true: Array, y_pred: Array, n_classes: int) -> float:
    tp, fp, fn = _class_counts(y_true, y_pred, n_classes)
    precision = (tp / np.maximum(tp + fp, 1)).mean()
    recall = (tp / np.maximum(tp + fn, 1)).mean()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def _f1_of_present_classes(y_true: Array, y_pred: Array, n_classes: int) -> float:
    tp, fp, fn = _class_counts(y_true, y_pred, n_classes)
    present = tp + fp + fn > 0
    return float((2 * tp / np.maximum(2 * tp + fp + fn, 1))[present].mean())


def _without_the_two(y_true: Array, y_pred: Array, n_classes: int) -> float:
    counts = _class_counts(y_true, y_pred, n_classes)
    return float((counts[0] / np.maximum(counts.sum(axis=0), 1)).mean())


MACRO_F1 = Exercise(
    name="neural_nets.macro_f1",
    title="Macro F1",
    points=2,
    stars=2,
    reference=macro_f1,
    cases=lambda rng: [
        *(
            Case((rng.integers(0, c, size=n), rng.choice(c, size=n, p=_uneven(c)), c))
            for n, c in ((50, 5), (37, 3))
        ),
        Case(
            (np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 0, 0]), 2),
            note="a class that is never predicted",
        ),
        Case(
            (np.array([0, 1, 0, 1]), np.array([0, 1, 1, 1]), 3),
            note="a class that does not occur at all: its F1 is 0",
        ),
    ],
    mistakes=(
        Mistake(
            lambda y_true, y_pred, n_classes: accuracy(y_true, y_pred),
            "That is the accuracy, which is micro F1: it counts examples, so large classes rule. "
            "Macro F1 averages over classes.",
        ),
        Mistake(
            _weighted_f1,
            "You weighted the classes by their size; macro means that each class counts the same.",
        ),
        Mistake(
            _f1_of_means,
            "You averaged precision and recall first and took F1 of the means; take F1 of each "
            "class, then the mean.",
        ),
        Mistake(
            _without_the_two,
            "You computed TP / (TP + FP + FN); F1 counts TP twice, above and below the line.",
        ),
        Mistake(
            _f1_of_present_classes,
            "You left out the classes that do not occur; with n_classes given, each counts, and "
            "an undefined F1 counts as 0.",
        ),
    ),
    hints=(
        "For a class c: TP where both say c, FP where only y_pred does, FN where only y_true does.",
        "F1 = 2 TP / (2 TP + FP + FN), and 0 where that is 0 / 0. Then the mean over the classes.",
        "np.mean([f1_of_class(c) for c in range(n_classes)])",
    ),
)


def _uneven(n_classes: int) -> Array:
    """Return probabilities that differ from class to class."""
    weights = np.arange(1, n_classes + 1)
    return weights / weights.sum()
