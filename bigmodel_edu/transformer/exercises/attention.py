"""Exercises: attention, its softmax backwards, heads, and grouped queries."""

from collections.abc import Callable
from math import sqrt

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array
from bigmodel_edu.neural_nets.reference import softmax

from .. import reference as ref
from ..reference.flash import heads_of

# --- attention with a mask -----------------------------------------------------------------------


def attention(q: Array, k: Array, v: Array, mask: Array) -> tuple[Array, Array]:
    """Return y = p v and p = softmax(q kᵀ / √d), where a query looks only where mask is True."""
    q, k, v = (x[:, None] for x in (q, k, v))  # one head
    mask = mask if mask.ndim == 2 else mask[:, None]
    layer = ref.ScaledDotProductAttention()
    y, _ = layer.forward({}, q, k, v, mask=mask)
    return y[:, 0], layer.weights(q, k, mask=mask)[:, 0]


def _attention_variant(
    masked: Callable[[Array, Array], Array],
    scale: Callable[[Array], float] = lambda q: 1 / sqrt(q.shape[-1]),
    to_weights: Callable[[Array], Array] = softmax,
    after: Callable[[Array, Array], Array] = lambda p, mask: p,
):
    """Return attention with something changed: the mask, the scale, the softmax."""

    def attend(q, k, v, mask):
        with np.errstate(all="ignore"):
            scores = q @ k.swapaxes(-1, -2) * scale(q)
            weights = after(to_weights(masked(scores, mask)), mask)
            return weights @ v, weights

    return attend


def _hide(scores: Array, mask: Array) -> Array:
    return np.where(mask, scores, -np.inf)


def _careless_softmax(scores: Array) -> Array:
    exponentials = np.exp(scores)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _over_the_queries(scores: Array) -> Array:
    return softmax(scores.swapaxes(-1, -2)).swapaxes(-1, -2)


def _random_mask(rng: np.random.Generator, *shape: int) -> Array:
    """Return a mask in which every query may look at some key and not at some other."""
    mask = rng.random(shape) < 0.5
    allowed = rng.integers(shape[-1], size=shape[:-1])[..., None]
    keys = np.arange(shape[-1])
    return (mask | (keys == allowed)) & (keys != (allowed + 1) % shape[-1])


def _attention_cases(rng: np.random.Generator) -> list[Case]:
    def drawn(b: int, t: int, s: int, d: int, e: int) -> tuple[Array, ...]:
        return tuple(rng.normal(size=size) for size in ((b, t, d), (b, s, d), (b, s, e)))

    def large(b: int, t: int, s: int, d: int, e: int) -> tuple[Array, ...]:
        """All scores of a query are above 1000, those of the next one below -1000."""
        q, k = (rng.uniform(30, 60, size=size) for size in ((b, t, d), (b, s, d)))
        return q * (-1.0) ** np.arange(t)[:, None], k, rng.normal(size=(b, s, e))

    return [
        Case((*drawn(5, 3, 7, 4, 2), _random_mask(rng, 5, 3, 7)), note="a mask for each sequence"),
        Case((*drawn(2, 5, 5, 3, 7), np.tri(5, dtype=bool)), note="a causal mask"),
        Case((*drawn(3, 4, 6, 5, 2), np.ones((4, 6), dtype=bool)), note="everything visible"),
        Case((*drawn(1, 2, 1, 3, 5), np.ones((2, 1), dtype=bool)), note="one key"),
        Case((*large(4, 3, 5, 7, 2), _random_mask(rng, 3, 5)), note="large scores"),
    ]


_UPSIDE_DOWN = (
    "Your mask is upside down: True means that the query may look there. The scores are replaced "
    "by -∞ where it is False."
)

ATTENTION = Exercise(
    name="transformer.attention",
    title="Attention with a mask",
    points=2,
    stars=2,
    parts=("y", "weights"),
    reference=attention,
    cases=_attention_cases,
    mistakes=(
        Mistake(
            _attention_variant(lambda s, mask: np.where(mask, -np.inf, s)),
            _UPSIDE_DOWN,
        ),
        Mistake(
            _attention_variant(lambda s, mask: np.where(mask, -1e9, s)),
            _UPSIDE_DOWN,
        ),
        Mistake(
            _attention_variant(lambda s, mask: s + (1.0 - mask) * -np.inf),
            "You multiplied the mask by -∞, and 0 · (-∞) is not 0 but NaN. Choose instead of "
            "multiplying: np.where(mask, scores, -np.inf).",
        ),
        Mistake(
            _attention_variant(_hide, scale=lambda q: 1.0),
            "The scores are not divided by √d, where d is the last axis of q.",
        ),
        Mistake(
            _attention_variant(_hide, scale=lambda q: 1 / q.shape[-1]),
            "You divided the scores by d; it is √d: a sum of d products of random numbers grows "
            "like √d.",
        ),
        Mistake(
            _attention_variant(_hide, to_weights=_over_the_queries),
            "Your softmax runs over the queries. Each query shares out its attention among the "
            "keys: the weights sum to one over the last axis.",
        ),
        Mistake(
            _attention_variant(lambda s, mask: s, after=lambda p, mask: p * mask),
            "You masked after the softmax, so that the weights of a query no longer sum to one. "
            "Mask the scores, before it.",
        ),
        Mistake(
            _attention_variant(lambda s, mask: s * mask),
            "A score of 0 is not invisible: e⁰ = 1 still gets its share. What must not be seen has "
            "the score -∞.",
        ),
        Mistake(
            _attention_variant(lambda s, mask: np.where(mask, s, -1e3)),
            "What must not be seen has a finite score in your code, and a score that may be seen "
            "can be lower still. -np.inf is lower than all of them.",
        ),
        Mistake(
            _attention_variant(_hide, to_weights=_careless_softmax),
            "e to the power of a large score overflowed. Subtract the row's maximum first, as in "
            "chapter 1.",
        ),
    ),
    hints=(
        "Three steps: the scores of all queries with all keys, (B, T, S); the mask and the softmax "
        "over the keys; the weighted sum of the values.",
        "k.swapaxes(-1, -2) is kᵀ for each sequence. np.where(mask, scores, -np.inf) hides what "
        "must not be seen, and the mask (T, S) is broadcast over the batch by itself.",
        "scores = np.where(mask, q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]), -np.inf); "
        "e = np.exp(scores - scores.max(axis=-1, keepdims=True)); "
        "p = e / e.sum(axis=-1, keepdims=True); return p @ v, p",
    ),
)

# --- its softmax, backwards ----------------------------------------------------------------------


def attention_weights_backward(weights: Array, v: Array, dy: Array) -> tuple[Array, Array]:
    """Return the gradients at the scores before the softmax (B, T, S), and at v (B, S, e)."""
    d_weights = dy @ v.swapaxes(-1, -2)
    along_weights = (d_weights * weights).sum(axis=-1, keepdims=True)
    return weights * (d_weights - along_weights), weights.swapaxes(-1, -2) @ dy


def _backward_variant(scores_gradient: Callable[[Array, Array], Array]):
    """Return the exercise's function with another dscores, from the weights p and dp."""

    def backward(weights, v, dy):
        _, dv = attention_weights_backward(weights, v, dy)
        return scores_gradient(weights, dy @ v.swapaxes(-1, -2)), dv

    return backward


def _weights_cases(rng: np.random.Generator) -> list[Case]:
    def case(b: int, t: int, s: int, e: int, mask: Array | None = None, note: str = "") -> Case:
        scores = 2 * rng.normal(size=(b, t, s))
        weights = softmax(scores if mask is None else _hide(scores, mask))
        return Case((weights, rng.normal(size=(b, s, e)), rng.normal(size=(b, t, e))), note=note)

    return [
        case(5, 3, 7, 2),
        case(2, 4, 4, 3, np.tri(4, dtype=bool), "a causal mask, so some weights are zero"),
        case(3, 2, 1, 5, note="one key"),
        case(1, 7, 5, 4),
    ]


ATTENTION_WEIGHTS_BACKWARD = Exercise(
    name="transformer.attention_weights_backward",
    title="The softmax of attention, backwards",
    points=2,
    stars=2,
    parts=("dscores", "dv"),
    reference=attention_weights_backward,
    cases=_weights_cases,
    mistakes=(
        Mistake(
            _backward_variant(lambda p, dp: p * dp),
            "dscores lacks the term that is subtracted. A softmax shares out a fixed sum: raising "
            "one score lowers all other weights. p ⊙ (dp - Σ dp ⊙ p).",
        ),
        Mistake(
            _backward_variant(lambda p, dp: dp),
            "This is the gradient at the weights, after the softmax; wanted is the one at the "
            "scores, before it.",
        ),
        Mistake(
            _backward_variant(lambda p, dp: p * (1 - p) * dp),
            "You used only the diagonal of the softmax's derivative, p (1 - p), as for a sigmoid. "
            "A score acts on all weights of its row.",
        ),
        Mistake(
            _backward_variant(lambda p, dp: p * (dp - (dp * p).sum(axis=-2, keepdims=True))),
            "You summed over the queries; the softmax ran over the keys, the last axis.",
        ),
        Mistake(
            _backward_variant(lambda p, dp: p * (dp - (dp * p).mean(axis=-1, keepdims=True))),
            "What is subtracted is the sum of dp ⊙ p over the keys, not its mean: the weights p "
            "make an average of it already.",
        ),
        Mistake(
            _backward_variant(lambda p, dp: p * (dp - dp.sum(axis=-1, keepdims=True))),
            "What is subtracted is the average of dp with the weights p, Σ dp ⊙ p; you summed dp "
            "without them.",
        ),
        Mistake(
            lambda weights, v, dy: attention_weights_backward(weights, v, dy)[::-1],
            "The two results are in the wrong order: return (dscores, dv).",
        ),
    ),
    hints=(
        "y = p v is a product of two matrices: chapter 1 has the gradients of both, dp and dv. "
        "Then comes the softmax.",
        "dp = dy vᵀ and dv = pᵀ dy. For one row, ∂p_j/∂s_i = p_j ([i = j] - p_i); multiply by dp_j "
        "and add up over j.",
        "dp = dy @ v.swapaxes(-1, -2); "
        "dscores = p * (dp - (dp * p).sum(axis=-1, keepdims=True)); dv = p.swapaxes(-1, -2) @ dy",
    ),
)

# --- heads ---------------------------------------------------------------------------------------


def split_heads(x: Array, n_heads: int) -> Array:
    """Return x (B, T, D) as (B, h, T, D/h)."""
    return ref.attention.split_heads(x, n_heads)


SPLIT_HEADS = Exercise(
    name="transformer.split_heads",
    title="Splitting into heads",
    points=1,
    stars=1,
    reference=split_heads,
    cases=lambda rng: [
        Case((rng.normal(size=(b, t, h * d)), h))
        for b, t, h, d in ((2, 5, 3, 4), (1, 7, 2, 3), (3, 4, 4, 5), (5, 2, 1, 3))
    ],
    mistakes=(
        Mistake(
            lambda x, n_heads: x.reshape(len(x), n_heads, x.shape[1], -1),
            "reshape alone gives the right shape, but it cuts the numbers where they stand in "
            "memory and mixes up the tokens. Cut the last axis first, then exchange two axes.",
        ),
        Mistake(
            lambda x, n_heads: x.reshape(*x.shape[:2], n_heads, -1),
            "The last axis is cut well; what is missing is that the heads come before the tokens: "
            "exchange axes 1 and 2.",
        ),
        Mistake(
            lambda x, n_heads: x.reshape(*x.shape[:2], -1, n_heads).transpose(0, 3, 1, 2),
            "Your heads take every h-th feature. Head 0 takes the first D/h features, head 1 the "
            "next ones: reshape to (B, T, h, D/h).",
        ),
        Mistake(
            lambda x, n_heads: x.reshape(*x.shape[:2], n_heads, -1).transpose(2, 0, 1, 3),
            "The heads stand before the batch. The batch stays first: (B, h, T, D/h).",
        ),
        Mistake(
            lambda x, n_heads: x.reshape(*x.shape[:2], n_heads, -1).transpose(0, 2, 3, 1),
            "The last two axes are exchanged: the shape is (B, h, T, D/h), each token a row.",
        ),
    ),
    hints=(
        "Two steps: cut the last axis into two, then exchange two axes.",
        "x.reshape(B, T, h, D // h) cuts the features of each token; swapaxes(1, 2) exchanges.",
        "B, T, D = x.shape; return x.reshape(B, T, n_heads, D // n_heads).swapaxes(1, 2)",
    ),
)


def join_heads(x: Array) -> Array:
    """Return x (B, h, T, d) as (B, T, h · d)."""
    return ref.attention.join_heads(x)


JOIN_HEADS = Exercise(
    name="transformer.join_heads",
    title="Joining the heads",
    points=1,
    stars=1,
    reference=join_heads,
    cases=lambda rng: [
        Case((rng.normal(size=shape),))
        for shape in ((2, 3, 5, 4), (1, 2, 7, 3), (3, 4, 4, 5), (5, 1, 2, 3))
    ],
    mistakes=(
        Mistake(
            lambda x: x.reshape(len(x), x.shape[2], -1),
            "reshape alone gives the right shape, but a row then holds several tokens of one head. "
            "Bring the heads behind the tokens first, then reshape.",
        ),
        Mistake(
            lambda x: x.transpose(0, 2, 3, 1).reshape(len(x), x.shape[2], -1),
            "You wove the heads into each other: their features belong one head after the other, "
            "all of head 0 first. Exchange axes 1 and 2 only.",
        ),
        Mistake(
            lambda x: x.swapaxes(1, 2),
            "The axes are in the right order; now make one axis of the last two.",
        ),
        Mistake(
            lambda x: x.mean(axis=1),
            "You averaged over the heads; they are put side by side, so that nothing is lost.",
        ),
        Mistake(
            lambda x: x.sum(axis=1),
            "You added the heads up; they are put side by side, so that nothing is lost.",
        ),
    ),
    hints=(
        "It undoes split_heads: the same two steps in the opposite order.",
        "After x.swapaxes(1, 2) the shape is (B, T, h, d), and the last two axes become one.",
        "B, h, T, d = x.shape; return x.swapaxes(1, 2).reshape(B, T, h * d)",
    ),
)

# --- grouped queries -----------------------------------------------------------------------------


def grouped_query_scores(q: Array, k: Array) -> Array:
    """Return q kᵀ / √d (B, h, T, S) of q (B, h, T, d) and k (B, g, S, d).

    Head i of q uses head i // (h/g) of k.
    """
    return q @ heads_of(k, q).swapaxes(-1, -2) / sqrt(q.shape[-1])


def _grouped_variant(heads: Callable[[int, int], Array], scale=sqrt):
    """Return the scores when head i of q uses head `heads(h, g)[i]` of k."""

    def scores(q, k):
        chosen = k[:, heads(q.shape[1], k.shape[1])]
        return q @ chosen.swapaxes(-1, -2) / scale(q.shape[-1])

    return scores


GROUPED_QUERY_SCORES = Exercise(
    name="transformer.grouped_query_scores",
    title="Sharing keys among heads",
    points=2,
    stars=2,
    reference=grouped_query_scores,
    cases=lambda rng: [
        Case((rng.normal(size=(b, h, t, d)), rng.normal(size=(b, g, s, d))), note=note)
        for b, h, g, t, s, d, note in (
            (2, 6, 3, 5, 7, 4, ""),
            (5, 4, 2, 3, 3, 5, "as many keys as queries"),
            (3, 4, 1, 2, 5, 3, "multi-query: one head of keys"),
            (1, 3, 3, 4, 2, 7, "a head of keys for every head of queries"),
        )
    ],
    mistakes=(
        Mistake(
            _grouped_variant(lambda h, g: np.arange(h) % g),
            "Your heads take turns, 0, 1, 2, 0, 1, 2, as np.tile repeats. Neighbours share: "
            "0, 0, 1, 1, 2, 2, as np.repeat does.",
        ),
        Mistake(
            _grouped_variant(lambda h, g: np.zeros(h, dtype=int)),
            "All your heads use the first head of the keys; head i uses head i // (h/g).",
        ),
        Mistake(
            _grouped_variant(lambda h, g: np.arange(h) * g // h, scale=lambda d: 1.0),
            "The scores are not divided by √d.",
        ),
        Mistake(
            lambda q, k: grouped_query_scores(q, k) / sqrt(q.shape[1]),
            "You divided by the root of the model's width h · d; each head has its own scale, √d.",
        ),
        Mistake(
            lambda q, k: grouped_query_scores(q, k).swapaxes(-1, -2),
            "Your scores are transposed: a row for each query, a column for each key.",
        ),
    ),
    hints=(
        "Once k has as many heads as q, it is one product. Which head of k stands where?",
        "np.repeat(k, h // g, axis=1) repeats each head h/g times in a row.",
        "k = np.repeat(k, q.shape[1] // k.shape[1], axis=1); "
        "return q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])",
    ),
)
