"""Metrics of a classifier. Labels are integers from 0; a binary label is 0 or 1."""

from typing import Literal

import numpy as np

from bigmodel_edu.errors import BookError, HyperparameterError, LabelError
from bigmodel_edu.layer import Array, expect_integers, expect_labels, expect_shape

Average = Literal["binary", "macro", "micro"]


def accuracy(y_true: Array, y_pred: Array) -> float:
    """Return the share of predictions that are right. Shapes: (N,) and (N,)."""
    expect_shape("y_true", y_true, "N")
    expect_shape("y_pred", y_pred, len(y_true))
    expect_integers("y_true", y_true)
    expect_integers("y_pred", y_pred)
    return float((y_true == y_pred).mean())


def confusion_matrix(y_true: Array, y_pred: Array, n_classes: int) -> Array:
    """Return C (n_classes, n_classes), C[i, j] = how many examples of class i were called j."""
    expect_shape("y_true", y_true, "N")
    expect_shape("y_pred", y_pred, len(y_true))
    expect_labels("y_true", y_true, n_classes)
    expect_labels("y_pred", y_pred, n_classes)
    pairs = n_classes * y_true.astype(np.int64) + y_pred  # a uint8 would overflow
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def precision(
    y_true: Array, y_pred: Array, *, average: Average = "binary", n_classes: int = 2
) -> float:
    """Return TP / (TP + FP): of what was called positive, the share that is; 0 where undefined."""
    tp, fp, _ = _counts(y_true, y_pred, average, n_classes)
    return _ratio(tp, tp + fp)


def recall(
    y_true: Array, y_pred: Array, *, average: Average = "binary", n_classes: int = 2
) -> float:
    """Return TP / (TP + FN): of what is positive, the share that was found; 0 where undefined."""
    tp, _, fn = _counts(y_true, y_pred, average, n_classes)
    return _ratio(tp, tp + fn)


def f1_score(
    y_true: Array, y_pred: Array, *, average: Average = "binary", n_classes: int = 2
) -> float:
    """Return 2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall.

    "binary" looks at class 1, "macro" is the mean over the classes' own F1, "micro" counts over
    all classes first (for one label per example it equals the accuracy).
    """
    tp, fp, fn = _counts(y_true, y_pred, average, n_classes)
    return _ratio(2 * tp, 2 * tp + fp + fn)


def roc_auc(y_true: Array, scores: Array) -> float:
    """Return the area under the ROC curve of binary labels and real scores, both (N,).

    It is the probability that a random positive scores above a random negative, ties counting one
    half, which the ranks give (Mann and Whitney 1947): (R₊ - n₊ (n₊ + 1) / 2) / (n₊ n₋).
    """
    expect_shape("y_true", y_true, "N")
    expect_shape("scores", scores, len(y_true))
    expect_labels("y_true", y_true, 2)
    if np.isnan(scores).any():
        raise BookError(
            "scores holds a NaN, expected a number for every example, since a NaN has no rank; "
            "look at what the model returned."
        )
    n_positive = int((y_true == 1).sum())
    n_negative = len(y_true) - n_positive
    if n_positive == 0 or n_negative == 0:
        raise LabelError(
            "y_true holds one class only, expected both 0 and 1: the ROC curve compares the two."
        )
    rank_sum = _average_ranks(scores)[y_true == 1].sum()
    return float((rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def _counts(
    y_true: Array, y_pred: Array, average: Average, n_classes: int
) -> tuple[Array, Array, Array]:
    """Return true positives, false positives, false negatives, each (classes averaged,)."""
    matrix = confusion_matrix(y_true, y_pred, n_classes)
    tp = np.diag(matrix)
    fp, fn = matrix.sum(axis=0) - tp, matrix.sum(axis=1) - tp
    if average == "macro":
        return tp, fp, fn
    if average == "micro":
        return tp.sum(keepdims=True), fp.sum(keepdims=True), fn.sum(keepdims=True)
    if average == "binary" and n_classes == 2:
        return tp[1:], fp[1:], fn[1:]
    raise HyperparameterError(
        f'average is {average!r} with {n_classes} classes, expected "macro" or "micro", '
        'or "binary" with two.'
    )


def _ratio(numerator: Array, denominator: Array) -> float:
    """Return the mean of the quotients, an undefined one (0 / 0) counting as 0."""
    return float((numerator / np.maximum(denominator, 1)).mean())


def _average_ranks(scores: Array) -> Array:
    """Return ranks 1…N of the scores (N,), equal scores sharing the mean of their ranks."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((last - counts + 1 + last) / 2)[inverse]
