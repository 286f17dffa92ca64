"""Data is checked once, before training: a NaN found here costs a sentence, later an evening."""

import numpy as np

from bigmodel_edu.errors import BookError, DTypeError, ShapeError
from bigmodel_edu.layer import (
    Array,
    expect_floats,
    expect_integers,
    expect_labels,
    expect_shape,
    shape_text,
)


class NonFiniteError(BookError, ValueError):
    """An array holds NaN or infinity where only finite numbers make sense."""


def validate_examples(x: Array, y: Array, n_classes: int, *, tokens: bool = False) -> None:
    """Raise if x and y cannot be the examples of a classification with `n_classes` classes.

    Args:
        x: inputs, shape (N, ...) with N ≥ 1, floating point, every number finite.
        y: labels, shape (N,), integers from 0 to n_classes - 1.
        n_classes: how many classes there are.
        tokens: x holds integers (N, ...) instead; their range is for the model to check.

    Raises:
        ShapeError: no example, labels not one-dimensional, or different lengths.
        DTypeError: not arrays, inputs not floating point, or labels not integers.
        NonFiniteError: a NaN or an infinity in x; the first one is named.
        LabelError: a label outside the range; the first one is named.
    """
    if tokens:
        expect_integers("x", x, "token ids")
    else:
        expect_floats("x", x)
    if not hasattr(y, "dtype"):
        kind = type(y).__name__
        raise DTypeError(f"y is a {kind}, expected an array of labels; convert it with np.array.")
    expect_shape("y", y, "N")
    _expect_same_length(x, y)
    _expect_finite(x)
    expect_labels("y", y, n_classes)


def _expect_same_length(x: Array, y: Array) -> None:
    if x.shape[:1] != y.shape:
        raise ShapeError(
            f"x has shape {shape_text(x.shape)} and y has {len(y)} labels, expected one label for "
            "each row of x; select the same examples of both."
        )
    if x.size == 0:
        raise ShapeError(
            f"x is empty (shape {shape_text(x.shape)}); give at least one number in each example."
        )


def _expect_finite(x: Array) -> None:
    bad = ~np.isfinite(x)
    if not bad.any():
        return
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    where = f"row {index[0]}, column {index[1]} of x" if x.ndim == 2 else f"x{list(index)}"
    raise NonFiniteError(
        f"{where} is {x[index]}, the first of {int(bad.sum())} that are NaN or infinite, expected "
        "finite numbers; repair or drop these examples."
    )
