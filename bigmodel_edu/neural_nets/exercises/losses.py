"""An exercise: the gradient of the cross-entropy."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from ..reference import CrossEntropy, softmax
from .activations import _naive_softmax


def cross_entropy_gradient(logits: Array, targets: Array) -> Array:
    """Return ∂L/∂logits of the mean cross-entropy."""
    loss = CrossEntropy()
    value, cache = loss.forward({}, logits, targets)
    (d_logits, _), _ = loss.backward({}, cache, np.ones_like(value))
    return d_logits


def _one_hot(logits: Array, targets: Array) -> Array:
    return np.eye(logits.shape[1], dtype=logits.dtype)[targets]


def _subtracting_whole_columns(logits: Array, targets: Array) -> Array:
    p = softmax(logits)
    p[:, targets] -= 1
    return p / len(p)


def _subtracting_whole_rows(logits: Array, targets: Array) -> Array:
    p = softmax(logits)
    p[targets] -= 1
    return p / len(p)


def _cross_entropy_cases(rng: np.random.Generator) -> list[Case]:
    first, one, two_classes = (
        Case((3 * rng.normal(size=(n, c)), rng.integers(0, c, size=n)))
        for n, c in ((5, 7), (1, 3), (11, 2))
    )
    huge = Case((np.array([[1e4, 0.0], [0.0, 1e4]]), np.array([0, 0])), note="huge logits")
    return [first, first.in_batch_of(3, 0, 1), one, one.in_batch_of(2, 0, 1), two_classes, huge]


CROSS_ENTROPY_GRADIENT = Exercise(
    name="neural_nets.cross_entropy_gradient",
    title="The gradient of softmax cross-entropy",
    points=2,
    stars=2,
    reference=cross_entropy_gradient,
    cases=_cross_entropy_cases,
    mistakes=(
        Mistake(
            lambda logits, targets: softmax(logits) - _one_hot(logits, targets),
            "The loss is a mean over the N examples, so the gradient is divided by N.",
        ),
        Mistake(
            lambda logits, targets: (_one_hot(logits, targets) - softmax(logits)) / len(logits),
            "The sign is turned: the gradient is p - y; descending it raises the label's logit.",
        ),
        Mistake(
            lambda logits, targets: (softmax(logits) - targets[:, None]) / len(logits),
            "You subtracted the class numbers. The truth y is one-hot: 1 at the label, else 0.",
        ),
        Mistake(
            _subtracting_whole_columns,
            "p[:, targets] picks whole columns. To pick one element in each row give the rows too: "
            "p[np.arange(N), targets].",
        ),
        Mistake(
            _subtracting_whole_rows,
            "p[targets] picks whole rows, those with the labels' numbers. To pick one element in "
            "each row give the rows too: p[np.arange(N), targets].",
        ),
        Mistake(
            lambda logits, targets: (softmax(logits) - 1) / len(logits),
            "You subtracted 1 from every probability. The truth y is one-hot: 1 at the label only.",
        ),
        Mistake(
            lambda logits, targets: softmax(logits) / len(logits),
            "You returned p / N; where the label is, 1 must be subtracted from p first.",
        ),
        Mistake(
            lambda logits, targets: (softmax(logits) - _one_hot(logits, targets)) / logits.size,
            "You divided by N · C. The mean is over the N examples only; over classes L is a sum.",
        ),
        Mistake(
            lambda logits, targets: (softmax(logits) - _one_hot(logits, targets)) / logits.shape[1],
            "You divided by the number of classes C. L is a mean over the N examples.",
        ),
        Mistake(
            lambda logits, targets: (
                (_naive_softmax(logits) - _one_hot(logits, targets)) / len(logits)
            ),
            "Right for small logits, but e^10000 overflows. Subtract each row's maximum before you "
            "take exponentials.",
        ),
        Mistake(
            lambda logits, targets: -_one_hot(logits, targets) / softmax(logits) / len(logits),
            "That is the gradient with respect to the probabilities p. Go one step further, "
            "through the softmax, to the logits.",
        ),
    ),
    hints=(
        "The text shows that for one example ∂L/∂z = p - y, with y one-hot.",
        "Take p = softmax(logits) and subtract 1 at [np.arange(N), targets] (on a copy).",
        "p[np.arange(len(p)), targets] -= 1; return p / len(p)",
    ),
)
