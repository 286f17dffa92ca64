"""Exercises: the gradient of the margin loss, and self-adversarial weights."""

from collections.abc import Callable

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from .. import reference as ref

# --- the gradient of the margin loss -------------------------------------------------------------


def margin_gradient(positive: Array, negative: Array, margin: float) -> tuple[Array, Array]:
    """Return the gradients of the mean of max(0, margin - s⁺ + s⁻) at s⁺ (B,) and s⁻ (B, N)."""
    loss = ref.MarginLoss(margin)
    _, cache = loss.forward({}, positive, negative)
    gradients, _ = loss.backward({}, cache, np.ones((), positive.dtype))
    return gradients


def _margin_variant(
    violated: Callable[[Array, Array, float], Array] = lambda p, n, margin: margin - p + n > 0,
    count: Callable[[Array], int] = lambda violated: violated.size,
    of_positive: Callable[[Array], Array] = lambda d_negative: -d_negative.sum(axis=1),
    sign: int = 1,
):
    """Return the gradients with something changed: who counts, the mean, the sum, the sign."""

    def gradient(positive, negative, margin):
        pairs = violated(positive[:, None], negative, margin)
        d_negative = sign * (pairs / count(pairs))
        return of_positive(d_negative), d_negative

    return gradient


def _margin_cases(rng: np.random.Generator) -> list[Case]:
    def case(b: int, n: int, margin: float, note: str = "") -> Case:
        positive, negative = rng.normal(size=b), rng.normal(size=(b, n))
        negative[0, 0] = positive[0] - 2 * margin  # one pair keeps the margin, one does not
        negative[1, -1] = positive[1] + margin
        return Case((positive, negative, margin), note=note)

    edge = rng.integers(3, 9, size=5).astype(float)
    beside = edge[:, None] - np.array([1.0, 2.0, 0.0, 3.0])
    return [
        case(7, 5, 0.7),
        case(3, 11, 2.0),
        case(2, 1, 0.3, "one negative"),
        Case((edge, beside, 1.0), note="some right on the edge"),
        Case((10 + rng.random(4), rng.random((4, 3)), 1.0), note="every margin is kept"),
    ]


MARGIN_GRADIENT = Exercise(
    name="knowledge_graph.margin_gradient",
    title="The margin loss, backwards",
    points=2,
    stars=2,
    parts=("d_positive", "d_negative"),
    reference=margin_gradient,
    cases=_margin_cases,
    mistakes=(
        Mistake(
            _margin_variant(count=lambda violated: 1),
            "The loss is a mean over all B · N pairs: each pair's share of the gradient is "
            "1 / (B N).",
        ),
        Mistake(
            _margin_variant(count=lambda violated: len(violated)),
            "You divided by B only; the mean runs over all B · N pairs.",
        ),
        Mistake(
            _margin_variant(count=lambda violated: max(1, np.count_nonzero(violated))),
            "You divided by the number of pairs that violate the margin. The mean runs over all "
            "B · N of them, those with no loss included.",
        ),
        Mistake(
            _margin_variant(lambda p, n, margin: np.ones(n.shape, dtype=bool)),
            "You let every pair pull. One that keeps the margin has the loss 0, and so no "
            "gradient: only margin - s⁺ + s⁻ > 0 counts.",
        ),
        Mistake(
            _margin_variant(lambda p, n, margin: margin + p - n > 0),
            "You have the two scores the other way round: a pair has a loss where "
            "margin - s⁺ + s⁻ > 0, that is, where the right answer is not far enough ahead.",
        ),
        Mistake(
            _margin_variant(lambda p, n, margin: margin - p + n >= 0),
            "A pair right on the edge has the gradient 0 here, as in ReLU: >, not >=.",
        ),
        Mistake(
            _margin_variant(of_positive=lambda d_negative: -d_negative.mean(axis=1)),
            "A positive score stands in N pairs, and its gradient is the sum over them, not the "
            "mean: the 1 / N is in the mean of the loss already.",
        ),
        Mistake(
            _margin_variant(sign=-1),
            "The signs are exchanged. These are gradients, the direction in which the loss grows: "
            "it falls with s⁺ and rises with s⁻.",
        ),
    ),
    hints=(
        "Look at one pair: what are the derivatives of max(0, margin - s⁺ + s⁻), where it is "
        "positive and where it is 0?",
        "-1 and +1, or 0 and 0. Each pair weighs 1 / (B N); s⁻ stands in one pair and s⁺ in N of "
        "them, whose gradients add up.",
        "violated = margin - positive[:, None] + negative > 0; "
        "d_negative = violated / violated.size; return -d_negative.sum(axis=1), d_negative",
    ),
)

# --- self-adversarial weights --------------------------------------------------------------------


def self_adversarial_weights(negative: Array, temperature: float) -> Array:
    """Return the weights (B, N) of negatives by their scores (B, N), each row of sum 1."""
    return ref.SelfAdversarialLoss(temperature=temperature).weights(negative)


def _weights_variant(
    scaled: Callable[[Array, float], Array] = lambda s, temperature: temperature * s,
    axis: int | None = -1,
    off: Callable[[Array], Array | float] = lambda z: z.max(axis=-1, keepdims=True),
):
    """Return the weights with something changed: the temperature, the axis, what is taken off."""

    def weigh(negative, temperature):
        with np.errstate(all="ignore"):
            z = scaled(negative, temperature)
            exponentials = np.exp(z - off(z))
            return exponentials / exponentials.sum(axis=axis, keepdims=True)

    return weigh


def _far_apart(rng: np.random.Generator) -> Array:
    """Draw one row of low, one of high and one of low and high scores (3, 4)."""
    centres = np.array([[-1, -1, -1, -1], [1, 1, 1, 1], [-1, 1, 1, 1]])
    return 1e4 * centres + rng.normal(size=centres.shape)


SELF_ADVERSARIAL_WEIGHTS = Exercise(
    name="knowledge_graph.self_adversarial_weights",
    title="Self-adversarial weights",
    points=1,
    stars=1,
    reference=self_adversarial_weights,
    cases=lambda rng: [
        Case((rng.normal(size=(7, 5)), 0.5)),
        Case((3 * rng.normal(size=(3, 11)), 2.0)),
        Case((1e4 + rng.normal(size=(2, 3)), 1.0), note="scores around 10,000"),
        Case((-1e4 + rng.normal(size=(5, 2)), 1.0), note="scores around -10,000"),
        Case((_far_apart(rng), 1.0), note="scores from -10,000 to 10,000"),
        Case((rng.normal(size=(1, 1)), 1.0), note="one negative"),
    ],
    mistakes=(
        Mistake(
            _weights_variant(off=lambda z: 0.0),
            "e to the power of a large score overflowed, or of a very low one became 0. Subtract "
            "the row's maximum first: the weights stay the same.",
        ),
        Mistake(
            _weights_variant(off=np.max),
            "You subtracted the maximum of the whole array: in a row far below it every e to the "
            "power of z is 0, and 0 / 0 follows. Each row has a maximum of its own: axis=-1, "
            "keepdims=True.",
        ),
        Mistake(
            _weights_variant(lambda s, temperature: s / temperature),
            "You divided by the temperature. In this loss it multiplies the scores: α s, so that "
            "α = 0 weighs all alike.",
        ),
        Mistake(
            _weights_variant(lambda s, temperature: s),
            "The temperature is missing: softmax of α s.",
        ),
        Mistake(
            _weights_variant(lambda s, temperature: -temperature * s),
            "Yours prefer the low scores. The hard negatives are those that the model likes, with "
            "high scores.",
        ),
        Mistake(
            _weights_variant(axis=0),
            "You normalised over the facts; each fact shares out 1 among its own negatives: the "
            "last axis.",
        ),
        Mistake(
            _weights_variant(axis=None),
            "You normalised over the whole array; each row has the sum 1.",
        ),
    ),
    hints=(
        "It is a softmax along each row, of the scores times the temperature.",
        "softmax(z) = softmax(z - c) for any c: take the row's maximum, and nothing overflows.",
        "z = temperature * negative; e = np.exp(z - z.max(axis=1, keepdims=True)); "
        "return e / e.sum(axis=1, keepdims=True)",
    ),
)
