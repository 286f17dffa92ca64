"""Exercises: the gradient of the margin loss, and self-adversarial weights."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array
from bigmodel_edu.neural_nets.reference import softmax

from .. import reference as ref

# --- the gradient of the margin loss -------------------------------------------------------------


def margin_gradient(positive: Array, negative: Array, margin: float) -> tuple[Array, Array]:
    """Return the gradients of the mean of max(0, margin - s⁺ + s⁻) at s⁺ (B,) and s⁻ (B, N)."""
    loss = ref.MarginLoss(margin)
    _, cache = loss.forward({}, positive, negative)
    gradients, _ = loss.backward({}, cache, np.ones((), positive.dtype))
    return gradients


def _violated(positive: Array, negative: Array, margin: float) -> Array:
    return margin - positive[:, None] + negative > 0


def _with_pairs(pairs: Array, count: int) -> tuple[Array, Array]:
    """Return the gradients when these pairs pull, each with the weight 1 / count."""
    d_negative = pairs / count
    return -d_negative.sum(axis=1), d_negative


def _each_pair_with_weight_one(positive, negative, margin):
    return _with_pairs(_violated(positive, negative, margin), 1)


def _mean_over_the_facts(positive, negative, margin):
    return _with_pairs(_violated(positive, negative, margin), len(positive))


def _mean_over_the_violated(positive, negative, margin):
    violated = _violated(positive, negative, margin)
    return _with_pairs(violated, max(1, np.count_nonzero(violated)))


def _every_pair_pulls(positive, negative, margin):
    return _with_pairs(np.ones(negative.shape), negative.size)


def _scores_exchanged(positive, negative, margin):
    return _with_pairs(margin + positive[:, None] - negative > 0, negative.size)


def _edge_pulls_too(positive, negative, margin):
    return _with_pairs(margin - positive[:, None] + negative >= 0, negative.size)


def _mean_for_the_positive(positive, negative, margin):
    _, d_negative = margin_gradient(positive, negative, margin)
    return -d_negative.mean(axis=1), d_negative


def _signs_exchanged(positive, negative, margin):
    d_positive, d_negative = margin_gradient(positive, negative, margin)
    return -d_positive, -d_negative


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
            _each_pair_with_weight_one,
            "The loss is a mean over all B · N pairs: each pair's share of the gradient is "
            "1 / (B N).",
        ),
        Mistake(
            _mean_over_the_facts,
            "You divided by B only; the mean runs over all B · N pairs.",
        ),
        Mistake(
            _mean_over_the_violated,
            "You divided by the number of pairs that violate the margin. The mean runs over all "
            "B · N of them, those with no loss included.",
        ),
        Mistake(
            _every_pair_pulls,
            "You let every pair pull. One that keeps the margin has the loss 0, and so no "
            "gradient: only margin - s⁺ + s⁻ > 0 counts.",
        ),
        Mistake(
            _scores_exchanged,
            "You have the two scores the other way round: a pair has a loss where "
            "margin - s⁺ + s⁻ > 0, that is, where the right answer is not far enough ahead.",
        ),
        Mistake(
            _edge_pulls_too,
            "A pair right on the edge has the gradient 0 here, as in ReLU: >, not >=.",
        ),
        Mistake(
            _mean_for_the_positive,
            "A positive score stands in N pairs, and its gradient is the sum over them, not the "
            "mean: the 1 / N is in the mean of the loss already.",
        ),
        Mistake(
            _signs_exchanged,
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


def _careless_about_large_scores(negative, temperature):
    with np.errstate(all="ignore"):
        exponentials = np.exp(temperature * negative)
        return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _one_maximum_for_all(negative, temperature):
    with np.errstate(all="ignore"):
        z = temperature * negative
        exponentials = np.exp(z - z.max())
        return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _normalised_over_the_facts(negative, temperature):
    with np.errstate(all="ignore"):
        z = temperature * negative
        exponentials = np.exp(z - z.max(axis=-1, keepdims=True))
        return exponentials / exponentials.sum(axis=0, keepdims=True)


def _normalised_over_the_whole_array(negative, temperature):
    z = temperature * negative
    exponentials = np.exp(z - z.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum()


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
            _careless_about_large_scores,
            "e to the power of a large score overflowed, or of a very low one became 0. Subtract "
            "the row's maximum first: the weights stay the same.",
        ),
        Mistake(
            _one_maximum_for_all,
            "You subtracted the maximum of the whole array: in a row far below it every e to the "
            "power of z is 0, and 0 / 0 follows. Each row has a maximum of its own: axis=-1, "
            "keepdims=True.",
        ),
        Mistake(
            lambda negative, temperature: softmax(negative / temperature),
            "You divided by the temperature. In this loss it multiplies the scores: α s, so that "
            "α = 0 weighs all alike.",
        ),
        Mistake(
            lambda negative, temperature: softmax(negative),
            "The temperature is missing: softmax of α s.",
        ),
        Mistake(
            lambda negative, temperature: softmax(-temperature * negative),
            "Yours prefer the low scores. The hard negatives are those that the model likes, with "
            "high scores.",
        ),
        Mistake(
            _normalised_over_the_facts,
            "You normalised over the facts; each fact shares out 1 among its own negatives: the "
            "last axis.",
        ),
        Mistake(
            _normalised_over_the_whole_array,
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
