"""Exercises: ReLU at the corner, and softmax."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from ..reference import ReLU, softmax

# --- ReLU at the corner ------------------------------------------------------------------------


def relu_backward(x: Array, dy: Array) -> Array:
    """Return the gradient of the ReLU, with derivative 0 at x = 0."""
    (dx,), _ = ReLU().backward({}, x > 0, dy)
    return dx


RELU_BACKWARD = Exercise(
    name="neural_nets.relu_backward",
    title="The ReLU and its corner",
    points=1,
    stars=1,
    reference=relu_backward,
    cases=lambda rng: [
        Case((rng.normal(size=(5, 7)), rng.normal(size=(5, 7)))),
        Case((np.array([-1.0, 0.0, 2.0]), np.array([3.0, 5.0, -7.0])), note="x = 0 exactly"),
        Case((rng.integers(-2, 3, size=(11, 3)).astype(float), rng.normal(size=(11, 3)))),
    ],
    mistakes=(
        Mistake(
            lambda x, dy: dy * (x >= 0),
            "At x = 0 you pass the gradient on. Any value from 0 to 1 is a subgradient there; "
            "PyTorch, and this book, take 0.",
        ),
        Mistake(
            lambda x, dy: np.maximum(dy, 0),
            "You applied the ReLU to dy. It is the sign of x, not of dy, that decides.",
        ),
        Mistake(
            lambda x, dy: (x > 0).astype(x.dtype),
            "That is the derivative of the ReLU alone; the chain rule multiplies it by dy.",
        ),
        Mistake(
            lambda x, dy: dy * np.maximum(x, 0),
            "You multiplied by max(x, 0), the value of the ReLU; its derivative is 1 where x > 0.",
        ),
        Mistake(
            lambda x, dy: dy * np.sign(x),
            "You multiplied by the sign of x, which is -1 on the left; the ReLU is flat there, and "
            "its slope is 0.",
        ),
    ),
    hints=(
        "The ReLU is x on the right and 0 on the left: what are the two slopes?",
        "`x > 0` is an array of booleans that multiplies like ones and zeros.",
        "return dy * (x > 0)",
    ),
)

# --- softmax -----------------------------------------------------------------------------------


def _naive_softmax(z: Array) -> Array:
    return np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)


def _exp_below_the_maximum(z: Array) -> Array:
    return np.exp(z - z.max(axis=-1, keepdims=True))


def _with_zero_column_maximum(z: Array) -> Array:
    exponentials = np.exp(z - z.max(axis=0, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _softmax_cases(rng: np.random.Generator) -> list[Case]:
    first = Case((rng.normal(size=(5, 7)),))
    one = Case((rng.normal(size=(1, 3)),), note="a batch of one")
    return [
        first,
        first.in_batch_of(3, 0),
        one,
        one.in_batch_of(2, 0),
        Case((np.array([[1e4, 0.0, -1e4], [3.0, 3.0, 3.0]]),), note="huge logits"),
        Case((rng.normal(size=(11, 2)) - 1e4,), note="very negative logits"),
        Case((rng.normal(size=(5, 3)).astype(np.float32),), note="float32"),
    ]


SOFTMAX = Exercise(
    name="neural_nets.softmax",
    title="A softmax that does not overflow",
    points=2,
    stars=2,
    reference=softmax,
    cases=_softmax_cases,
    mistakes=(
        Mistake(
            lambda z: np.exp(z) / np.exp(z).sum(),
            "You normalised over the whole array, not over each row.",
        ),
        Mistake(
            lambda z: np.exp(z - z.max()) / np.exp(z - z.max()).sum(),
            "You normalised over the whole array, not over each row.",
        ),
        Mistake(
            lambda z: _exp_below_the_maximum(z) / _exp_below_the_maximum(z).sum(),
            "The maximum is each row's own, but the sum is that of the whole array. Normalise each "
            "row: sum over axis -1, with keepdims=True.",
        ),
        Mistake(
            lambda z: _exp_below_the_maximum(z) / _exp_below_the_maximum(z).mean(-1, keepdims=True),
            "You divided by the mean of each row, so that a row sums to C; divide by its sum.",
        ),
        Mistake(
            lambda z: np.exp(z) / np.exp(z).sum(axis=0, keepdims=True),
            "You normalised every column (axis 0); each row is one example, so sum over axis -1.",
        ),
        Mistake(
            lambda z: np.exp(z - z.max(axis=-1)) / np.exp(z - z.max(axis=-1)).sum(axis=-1),
            "The maximum or the sum of each row has lost its axis, (N,) instead of (N, 1), and "
            "does not fit against z: pass keepdims=True.",
        ),
        Mistake(
            lambda z: np.exp(z - z.max(axis=0)) / np.exp(z - z.max(axis=0)).sum(axis=0),
            "You normalised every column (axis 0); each row is one example, so maximum and sum "
            "are over axis -1.",
        ),
        Mistake(
            _naive_softmax,
            "Right for small logits, but e^10000 overflows. Subtract each row's maximum first: "
            "numerator and denominator shrink alike, so the quotient stays what it is.",
        ),
        Mistake(
            lambda z: _naive_softmax(z - z.max()),
            "You subtracted the maximum of the whole array. A row that lies far below it then "
            "turns into 0 / 0; subtract each row's own maximum.",
        ),
        Mistake(
            _with_zero_column_maximum,
            "You subtracted the maximum of each column. Within a row the same number must be "
            "subtracted everywhere: take the maximum over axis -1.",
        ),
    ),
    hints=(
        "e^z overflows in float64 beyond z ≈ 709. What can you subtract from a whole row without "
        "changing its softmax?",
        "z.max(axis=-1, keepdims=True) has shape (N, 1) and broadcasts against z.",
        "e = np.exp(z - z.max(axis=-1, keepdims=True)); return e / e.sum(axis=-1, keepdims=True)",
    ),
)
