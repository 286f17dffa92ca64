"""Bad examples are refused with a sentence that names the first bad place."""

import numpy as np
import pytest

from bigmodel_edu.data import NonFiniteError, validate_examples
from bigmodel_edu.errors import BookError, DTypeError, LabelError, ShapeError

X = np.zeros((5, 3))
Y = np.array([0, 1, 2, 1, 0])


def with_value(x, index, value):
    x = x.copy()
    x[index] = value
    return x


@pytest.mark.parametrize("x_dtype", [np.float64, np.float32])
@pytest.mark.parametrize("y_dtype", [np.int64, np.int32, np.uint8])
def test_good_examples_pass(x_dtype, y_dtype):
    validate_examples(X.astype(x_dtype), Y.astype(y_dtype), 3)


def test_images_and_strided_arrays_pass():
    validate_examples(np.zeros((10, 2, 3))[::2], Y[::-1], 3)


@pytest.mark.parametrize(
    ("x", "y", "error", "words"),
    [
        (X[:0], Y[:0], ShapeError, "y is empty"),
        (X[:, :0], Y, ShapeError, r"x is empty \(shape \(5, 0\)\)"),
        (X, Y[:4], ShapeError, r"shape \(5, 3\) and y has 4 labels"),
        (X[:4], Y, ShapeError, r"shape \(4, 3\) and y has 5 labels"),
        (X, Y[:, None], ShapeError, r"y has shape \(5, 1\), expected \(N,\)"),
        (with_value(X, (3, 1), np.nan), Y, NonFiniteError, "row 3, column 1 of x is nan"),
        (with_value(X, (2, 0), -np.inf), Y, NonFiniteError, "row 2, column 0 of x is -inf"),
        (with_value(X, slice(1, 3), np.nan), Y, NonFiniteError, "row 1, column 0 .*first of 6"),
        (np.full((5, 2, 2), np.nan), Y, NonFiniteError, r"x\[0, 0, 0\] is nan"),
        (X, with_value(Y, 4, 3), LabelError, r"y\[4\] is 3, expected a class from 0 to 2"),
        (X, with_value(Y, 1, -1), LabelError, r"y\[1\] is -1"),
        (X.astype(np.uint8), Y, DTypeError, "x is of type uint8"),
        (X, Y.astype(float), DTypeError, "y is of type float64"),
        (X, Y > 0, DTypeError, "y is of type bool"),
        (X.tolist(), Y, DTypeError, "x is of type list"),
        (X, Y.tolist(), DTypeError, "y is a list, expected an array"),
    ],
)
def test_bad_examples_are_named(x, y, error, words):
    with pytest.raises(error, match=words) as caught:
        validate_examples(x, y, 3)
    assert isinstance(caught.value, BookError)
    assert "\n" not in str(caught.value)


def test_it_changes_nothing():
    x, y = X.copy(), Y.copy()
    validate_examples(x, y, 3)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


def test_tokens_are_integers_when_they_are_asked_for():
    tokens = np.arange(10).reshape(5, 2)
    validate_examples(tokens, Y, 3, tokens=True)
    with pytest.raises(DTypeError, match="x is of type int64, expected floating-point numbers"):
        validate_examples(tokens, Y, 3)
    with pytest.raises(DTypeError, match="x is of type float64, expected integer token ids"):
        validate_examples(X, Y, 3, tokens=True)
    with pytest.raises(ShapeError, match="y has 4 labels"):
        validate_examples(tokens, Y[:4], 3, tokens=True)
