"""The exercises of chapter 4: their cases, and the mistakes that readers really make."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, pairwise
from math import sqrt

import numpy as np

from bigmodel_edu.data import DatePairs, load_cldr_dates
from bigmodel_edu.labs import Case, Exercise, Mistake
from bigmodel_edu.layer import Array
from bigmodel_edu.neural_nets.reference import softmax

from . import reference as ref
from .given import ToyLanguage
from .reference.flash import heads_of

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

# --- positions -----------------------------------------------------------------------------------


def sinusoidal_positions(length: int, d_model: int) -> Array:
    """Return the encodings (length, d_model): sines in the even columns, cosines in the odd."""
    return ref.SinusoidalPositions(d_model).table(length, like=np.zeros(0))


def _sinusoidal_variant(
    frequency: Callable[[Array, int], Array] = lambda i, d: 10000.0 ** (-2 * i / d),
    first: Callable[[Array], Array] = np.sin,
    second: Callable[[Array], Array] = np.cos,
    start: int = 0,
):
    """Return the encodings with other frequencies, functions or positions."""

    def table(length, d_model):
        t = np.arange(start, start + length)[:, None]
        angle = t * frequency(np.arange(d_model // 2), d_model)
        return np.stack([first(angle), second(angle)], axis=-1).reshape(length, d_model)

    return table


def _halves(length: int, d_model: int) -> Array:
    table = sinusoidal_positions(length, d_model)
    return np.concatenate([table[:, 0::2], table[:, 1::2]], axis=1)


def _frequency_for_every_column(length: int, d_model: int) -> Array:
    column = np.arange(d_model)
    angle = np.arange(length)[:, None] * 10000.0 ** (-column / d_model)
    return np.where(column % 2 == 0, np.sin(angle), np.cos(angle))


SINUSOIDAL_POSITIONS = Exercise(
    name="transformer.sinusoidal_positions",
    title="Sine and cosine positions",
    points=1,
    stars=1,
    reference=sinusoidal_positions,
    cases=lambda rng: [
        Case((7, 8)),
        Case((int(rng.integers(40, 60)), 2 * int(rng.integers(5, 20)))),
        Case((int(rng.integers(2, 6)), 2), note="one pair"),
        Case((1, 2 * int(rng.integers(2, 9))), note="one position"),
    ],
    mistakes=(
        Mistake(
            _halves,
            "All sines come first in your table, then all cosines. Here they alternate: column 2i "
            "is a sine and column 2i + 1 the cosine of the same angle.",
        ),
        Mistake(
            _sinusoidal_variant(lambda i, d: 10000.0 ** (-i / d)),
            "Pair i has the exponent 2i/d, so that the last pair comes close to 10000; you took "
            "i/d, and stop at its root, 100.",
        ),
        Mistake(
            _frequency_for_every_column,
            "A sine and its cosine have one and the same frequency: columns 2i and 2i + 1 both "
            "have the exponent 2i/d.",
        ),
        Mistake(
            _sinusoidal_variant(first=np.cos, second=np.sin),
            "Sine and cosine are exchanged: the even columns are sines.",
        ),
        Mistake(
            _sinusoidal_variant(start=1),
            "You began with position 1; the first position is 0, with sines of 0 and cosines of 1.",
        ),
        Mistake(
            _sinusoidal_variant(lambda i, d: 10000.0 ** (2 * i / d)),
            "The position is divided by 10000^(2i/d): later pairs turn more slowly.",
        ),
    ),
    hints=(
        "First the angles, a column for each pair: position t divided by 10000^(2i/d), for "
        "i = 0 … d/2 - 1.",
        "t = np.arange(length)[:, None] and np.arange(0, d_model, 2), which is 2i, broadcast to a "
        "table of angles (length, d_model/2).",
        "angle = t / 10000 ** (np.arange(0, d_model, 2) / d_model); "
        "table[:, 0::2] = np.sin(angle); table[:, 1::2] = np.cos(angle)",
    ),
)

# --- rotary positions ----------------------------------------------------------------------------


def rotary(x: Array, positions: Array, base: float = 10000.0) -> Array:
    """Return x (B, h, T, d) with feature pairs (i, i + d/2) turned by t · base^(-2i/d)."""
    layer = ref.RotaryPositions(x.shape[-1], base)
    turned = [
        layer.forward({}, x[:, :, [i]], offset=int(position))[0]
        for i, position in enumerate(positions)
    ]
    return np.concatenate(turned, axis=2)


def _rotary_variant(
    sign: int = 1,
    power: float = 2.0,
    plus: bool = False,
    known_base: float | None = None,
    counted: bool = False,
):
    """Return rotary positions with something changed."""

    def turn(x, positions, base=10000.0):
        d = x.shape[-1]
        base = base if known_base is None else known_base
        t = np.arange(len(positions)) if counted else positions
        angle = sign * t[:, None] * base ** (-power * np.arange(d // 2) / d)
        first, second = x[..., : d // 2], x[..., d // 2 :]
        cos, sin = np.cos(angle), np.sin(angle)
        minus = first * cos + second * sin if plus else first * cos - second * sin
        return np.concatenate([minus, second * cos + first * sin], axis=-1)

    return turn


def _rotary_of_neighbours(x: Array, positions: Array, base: float = 10000.0) -> Array:
    d = x.shape[-1]
    order = np.concatenate([np.arange(0, d, 2), np.arange(1, d, 2)])
    return rotary(x[..., order], positions, base)[..., np.argsort(order)]


ROTARY = Exercise(
    name="transformer.rotary",
    title="Rotary positions",
    points=2,
    stars=2,
    reference=rotary,
    cases=lambda rng: [
        Case((rng.normal(size=(2, 3, 5, 8)), np.arange(5))),
        Case((rng.normal(size=(1, 2, 7, 4)), np.arange(30, 37)), note="after 30 cached tokens"),
        Case((rng.normal(size=(3, 1, 4, 6)), np.array([0, 2, 2, 9])), note="with gaps"),
        Case((rng.normal(size=(2, 5, 3, 10)), np.arange(3)), {"base": 500_000.0}, "another base"),
    ],
    mistakes=(
        Mistake(
            _rotary_of_neighbours,
            "You paired neighbours, features 2i and 2i + 1, as the paper does. Here feature i goes "
            "with feature i + d/2.",
        ),
        Mistake(
            _rotary_variant(sign=-1),
            "You turned the other way: the first half is x₁ cos θ - x₂ sin θ.",
        ),
        Mistake(
            _rotary_variant(plus=True),
            "Both your halves have a plus. A rotation has one minus: x₁ cos θ - x₂ sin θ and "
            "x₂ cos θ + x₁ sin θ; without it lengths change.",
        ),
        Mistake(
            _rotary_variant(power=1.0),
            "Pair i turns by base^(-2i/d) for each step, i from 0 to d/2 - 1; you took "
            "base^(-i/d).",
        ),
        Mistake(
            _rotary_variant(counted=True),
            "You counted the positions from 0 instead of using `positions`: with a cache the first "
            "new token is not at position 0.",
        ),
        Mistake(
            _rotary_variant(known_base=10000.0),
            "The base is 10000 in your code, whatever `base` says.",
        ),
    ),
    hints=(
        "First the angles (T, d/2): positions[:, None] times the d/2 frequencies base^(-2i/d).",
        "x[..., : d // 2] and x[..., d // 2 :] are the two coordinates of all pairs; a rotation of "
        "(x₁, x₂) by θ is (x₁ cos θ - x₂ sin θ, x₂ cos θ + x₁ sin θ).",
        "angle = positions[:, None] * base ** (-np.arange(0, d, 2) / d); "
        "return np.concatenate([x1 * cos - x2 * sin, x2 * cos + x1 * sin], axis=-1)",
    ),
)

# --- the mask of a cached step -------------------------------------------------------------------


def causal_mask_for_step(n_new: int, n_cached: int) -> Array:
    """Return the mask (n_new, n_cached + n_new) of new tokens behind cached ones, True = looks."""
    return ref.causal_mask(n_new, n_cached + n_new)


CAUSAL_MASK_FOR_STEP = Exercise(
    name="transformer.causal_mask_for_step",
    title="The mask of a cached step",
    points=1,
    stars=1,
    reference=causal_mask_for_step,
    cases=lambda rng: [
        Case((3, 5)),
        Case((int(rng.integers(2, 9)), int(rng.integers(10, 20)))),
        Case((1, int(rng.integers(2, 9))), note="one new token"),
        Case((int(rng.integers(2, 9)), 0), note="nothing cached yet"),
    ],
    mistakes=(
        Mistake(
            lambda n_new, n_cached: np.tri(n_new, dtype=bool),
            "The cached keys have no columns in your mask: the new tokens look at them too, so "
            "there are n_cached + n_new.",
        ),
        Mistake(
            lambda n_new, n_cached: np.tri(n_new, n_cached + n_new, dtype=bool),
            "Your diagonal starts at the first cached key, as if the cache were not over yet. The "
            "first new token stands behind all n_cached keys and sees them all, and itself.",
        ),
        Mistake(
            lambda n_new, n_cached: ~causal_mask_for_step(n_new, n_cached),
            "Your mask is upside down: True means that the token may look there.",
        ),
        Mistake(
            lambda n_new, n_cached: np.tri(n_new, n_cached + n_new, n_cached - 1, dtype=bool),
            "In your mask a token does not see itself. It may: its own key is known when it looks.",
        ),
        Mistake(
            lambda n_new, n_cached: np.ones((n_new, n_cached + n_new), dtype=bool),
            "Your new tokens see each other's future. That is right for one new token; several "
            "must be masked among themselves.",
        ),
        Mistake(
            lambda n_new, n_cached: np.tri(n_new, n_cached + n_new, n_cached),
            "The places are right, but the mask holds numbers. Booleans are wanted: "
            "`dtype=bool`, or a comparison.",
        ),
    ),
    hints=(
        "New token i stands at position n_cached + i. Which keys are not later than that?",
        "Compare positions: np.arange(n_cached + n_new), a row of keys, with the positions of the "
        "new tokens as a column.",
        "return np.arange(n_cached + n_new) <= n_cached + np.arange(n_new)[:, None]",
    ),
)

# --- RMSNorm, backwards --------------------------------------------------------------------------


def rms_norm_backward(x: Array, weight: Array, dy: Array, eps: float = 1e-6) -> tuple[Array, Array]:
    """Return the gradients of RMSNorm at x (..., D) and at weight (D,)."""
    layer = ref.RMSNorm(len(weight), eps)
    _, cache = layer.forward({"weight": weight}, x)
    (dx,), grads = layer.backward({"weight": weight}, cache, dy)
    return dx, grads["weight"]


def _rms_variant(
    dx: Callable[[Array, Array, Array], Array] = lambda g, x_hat, r: (
        (g - x_hat * (g * x_hat).mean(axis=-1, keepdims=True)) / r
    ),
    upstream: Callable[[Array, Array], Array] = lambda dy, weight: dy * weight,
    root: Callable[[Array, float], Array] = lambda square, eps: np.sqrt(square + eps),
    to_weight: Callable[[Array, Array, Array], Array] = lambda dy, x_hat, x: (
        (dy * x_hat).reshape(-1, dy.shape[-1]).sum(axis=0)
    ),
):
    """Return RMSNorm's gradients with something changed; r is the root mean square."""

    def backward(x, weight, dy, eps=1e-6):
        with np.errstate(all="ignore"):
            r = root((x**2).mean(axis=-1, keepdims=True), eps)
            x_hat = x / r
            return dx(upstream(dy, weight), x_hat, r), to_weight(dy, x_hat, x)

    return backward


def _rms_cases(rng: np.random.Generator) -> list[Case]:
    def drawn(*shape: int, size: float = 1.0) -> tuple[Array, Array, Array]:
        x = size * (rng.normal(size=shape) + 0.5)
        return x, rng.normal(size=shape[-1]), rng.normal(size=shape)

    zero_row = drawn(4, 3)
    zero_row[0][1] = 0
    return [
        Case(drawn(5, 7)),
        Case(drawn(2, 3, 5), note="three axes"),
        Case(drawn(1, 11, size=1e-3), note="so small that eps matters"),
        Case(drawn(3, 2), {"eps": 0.1}, note="another eps"),
        Case(zero_row, note="a row of zeros"),
        Case(drawn(13), note="one axis"),
    ]


RMS_NORM_BACKWARD = Exercise(
    name="transformer.rms_norm_backward",
    title="RMSNorm, backwards",
    points=3,
    stars=3,
    parts=("dx", "dweight"),
    reference=rms_norm_backward,
    cases=_rms_cases,
    mistakes=(
        Mistake(
            _rms_variant(lambda g, x_hat, r: g / r),
            "You treated the root mean square as a constant. It is made of the very x that you "
            "differentiate by: the part of dx̂ along x̂ is taken out.",
        ),
        Mistake(
            _rms_variant(
                lambda g, x_hat, r: (
                    (
                        g
                        - g.mean(axis=-1, keepdims=True)
                        - x_hat * (g * x_hat).mean(axis=-1, keepdims=True)
                    )
                    / r
                )
            ),
            "You subtracted the mean of dx̂, as LayerNorm does. RMSNorm takes no mean off x, so "
            "none comes off the gradient.",
        ),
        Mistake(
            _rms_variant(upstream=lambda dy, weight: dy),
            "The weight is missing in dx: dx̂ = dy ⊙ weight. As long as the weight is 1, nobody "
            "notices.",
        ),
        Mistake(
            _rms_variant(
                lambda g, x_hat, r: (g - x_hat * (g * x_hat).sum(axis=-1, keepdims=True)) / r
            ),
            "x̂ has the length √D, so its part in dx̂ is x̂ times the mean of dx̂ ⊙ x̂; you took the "
            "sum.",
        ),
        Mistake(
            _rms_variant(
                lambda g, x_hat, r: (
                    (g - x_hat * (g * x_hat).reshape(-1, g.shape[-1]).mean(axis=0)) / r
                )
            ),
            "You averaged over the rows. Each row is normalised by itself, so the mean goes over "
            "its features, the last axis.",
        ),
        Mistake(
            _rms_variant(lambda g, x_hat, r: g - x_hat * (g * x_hat).mean(axis=-1, keepdims=True)),
            "The factor 1/r is missing in dx: x̂ = x / r.",
        ),
        Mistake(
            _rms_variant(root=lambda square, eps: np.sqrt(square) + eps),
            "The eps belongs inside the root: √(mean(x²) + eps).",
        ),
        Mistake(
            _rms_variant(root=lambda square, eps: np.sqrt(square + 1e-6)),
            "The eps is 10⁻⁶ in your code, whatever `eps` says.",
        ),
        Mistake(
            _rms_variant(root=lambda square, eps: np.sqrt(square)),
            "The eps is missing: r = √(mean(x²) + eps), also backwards.",
        ),
        Mistake(
            _rms_variant(
                to_weight=lambda dy, x_hat, x: (dy * x).reshape(-1, dy.shape[-1]).sum(axis=0)
            ),
            "The weight was multiplied by x̂, not by x: dweight is the sum of dy ⊙ x̂ over the rows.",
        ),
        Mistake(
            _rms_variant(to_weight=lambda dy, x_hat, x: (dy * x_hat).sum(axis=0)),
            "You summed dweight over the first axis. x may have any number of axes: sum over all "
            "of them but the last.",
        ),
    ),
    hints=(
        "Compute r = √(mean(x²) + eps) and x̂ = x / r again. The weight is easy: it acts on every "
        "row, with the factor x̂.",
        "x̂_i = x_i / r and ∂r/∂x_j = x_j / (D r) = x̂_j / D, so ∂x̂_i/∂x_j = ([i = j] - "
        "x̂_i x̂_j / D) / r. Multiply by dx̂_i and add up over i.",
        "dx_hat = dy * weight; "
        "dx = (dx_hat - x_hat * (dx_hat * x_hat).mean(axis=-1, keepdims=True)) / r",
    ),
)

# --- the online softmax --------------------------------------------------------------------------


Tile = tuple[Array, Array, Array]


def merge_tiles(first: Tile, second: Tile) -> Tile:
    """Return (m, l, o) of both tiles together; m and l (T,), o (T, e) not yet divided by l."""
    one, other = ((m[:, None], total[:, None], o) for m, total, o in (first, second))
    m, total, o = ref.merge_tiles(one, other)
    return m[:, 0], total[:, 0], o


def _merge_variant(
    factor: Callable[[Array, Array], Array] = lambda own, m: np.exp(own - m),
    of_l: bool = True,
    of_o: bool = True,
    maximum: Callable[[Array, Array], Array] = np.maximum,
    normalised: bool = False,
    weighted: bool = False,
):
    """Return a merge with something changed."""

    def merge(first, second):
        (m1, l1, o1), (m2, l2, o2) = first, second
        with np.errstate(all="ignore"):
            m = maximum(m1, m2)
            a1, a2 = factor(m1, m), factor(m2, m)
            total = (a1 if of_l else 1) * l1 + (a2 if of_l else 1) * l2
            b1, b2 = (a1 if of_o else 1.0 + 0 * m), (a2 if of_o else 1.0 + 0 * m)
            if weighted:
                b1, b2 = b1 * l1, b2 * l2
            o = b1[:, None] * o1 + b2[:, None] * o2
            return m, total, o / total[:, None] if normalised else o

    return merge


def _tile(scores: Array, v: Array) -> Tile:
    m = scores.max(axis=-1)
    exponentials = np.exp(scores - m[:, None])
    return m, exponentials.sum(axis=-1), exponentials @ v


def _tile_cases(rng: np.random.Generator) -> list[Case]:
    def drawn(t: int, s: int, e: int, shift: Array | float = 0.0) -> Tile:
        scores = rng.uniform(-0.5, 0.5, size=(t, s)) + np.reshape(shift, (-1, 1))
        return _tile(scores, rng.normal(size=(s, e)))

    def nothing(tile: Tile, queries: Array) -> Tile:
        """Return the tile as if these queries had seen none of it."""
        seen = ~queries
        m, total, o = tile
        return np.where(seen, m, -np.inf), total * seen, o * seen[:, None]

    first = np.arange(5) % 3 == 0
    return [
        Case((drawn(5, 7, 3), drawn(5, 2, 3, shift=[2, -2, 2, -2, 2])), note="either is higher"),
        Case((drawn(2, 3, 5), drawn(2, 4, 5, shift=50.0)), note="the second tile is far higher"),
        Case((drawn(7, 5, 2, shift=2000.0), drawn(7, 3, 2, shift=-2000.0)), note="large scores"),
        Case((nothing(drawn(3, 2, 4), np.ones(3, bool)), drawn(3, 5, 4)), note="an empty tile"),
        Case(
            (nothing(drawn(5, 3, 2), first), nothing(drawn(5, 4, 2), ~first)),
            note="each query has seen one of the two tiles",
        ),
    ]


MERGE_TILES = Exercise(
    name="transformer.merge_tiles",
    title="Merging two tiles",
    points=2,
    stars=2,
    parts=("m", "l", "o"),
    reference=merge_tiles,
    cases=_tile_cases,
    mistakes=(
        Mistake(
            _merge_variant(of_l=False, of_o=False),
            "You added the sums as they are. They were taken with different maxima: multiply each "
            "by exp(its own m - the new m) first.",
        ),
        Mistake(
            _merge_variant(of_o=False),
            "l is right, but o has to be brought to the new maximum as well: multiply each o by "
            "the same factor as its l.",
        ),
        Mistake(
            _merge_variant(of_l=False),
            "o is right, but l has to be brought to the new maximum as well: multiply each l by "
            "the same factor as its o.",
        ),
        Mistake(
            _merge_variant(factor=lambda own, m: np.exp(m - own)),
            "The factor is upside down: exp(own m - new m), at most 1, so that it cannot overflow.",
        ),
        Mistake(
            _merge_variant(normalised=True),
            "You divided o by l. The division comes once, after the last tile; a further merge of "
            "this o would be wrong.",
        ),
        Mistake(
            _merge_variant(weighted=True),
            "You multiplied each o by its l, as if it were an average. It is a sum already: only "
            "the factor for the new maximum is missing.",
        ),
        Mistake(
            _merge_variant(factor=lambda own, m: np.exp(own), maximum=np.maximum),
            "You brought both tiles to the maximum 0 by exp(m), which overflows for large scores; "
            "bring them to the larger of the two maxima, exp(own m - new m).",
        ),
    ),
    hints=(
        "The new m is the larger of the two, for each query. What would l and o of each tile be, "
        "had it been computed with that m?",
        "exp(s - m_new) = exp(s - m_old) · exp(m_old - m_new): one factor for each query, the same "
        "for l and for o.",
        "m = np.maximum(m1, m2); a1, a2 = np.exp(m1 - m), np.exp(m2 - m); "
        "return m, a1 * l1 + a2 * l2, a1[:, None] * o1 + a2[:, None] * o2",
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

# --- beam search ---------------------------------------------------------------------------------

LogProbabilities = Callable[[tuple[int, ...]], Array]


def beam_search(
    log_probabilities: LogProbabilities,
    beam: int,
    length_penalty: float,
    bos: int,
    eos: int,
    max_length: int,
) -> tuple[int, ...]:
    """Return the best finished sequence that beam search finds, with bos and eos.

    Begin with the one sequence (bos,), of log-probability 0. In each step continue every sequence
    that is alive with every token, and keep the `beam` likeliest of all these continuations
    together; those that end in eos are finished and leave the beam, the others stay alive. (So
    fewer than `beam` may be alive in the next step; again the `beam` likeliest continuations are
    kept.) Stop when none is alive or when the sequences have `max_length` tokens after bos; who is
    not finished then does not count. Of all finished ones return that with the largest log p / lp,
    lp = ((5 + n) / 6)^length_penalty, where n counts the tokens after bos, eos included
    (Wu et al. 2016, eq. 14). At least one finishes, and no two are equally good.
    """
    found = _hypotheses(log_probabilities, beam, length_penalty, bos, eos, max_length)
    return next((bos, *hypothesis.tokens) for hypothesis in found if hypothesis.finished)


def _hypotheses(
    log_probabilities: LogProbabilities,
    beam: int,
    length_penalty: float,
    bos: int,
    eos: int,
    max_length: int,
) -> list[ref.Hypothesis]:
    return ref.beam_search(
        lambda prefixes: np.array([log_probabilities(tuple(row)) for row in prefixes.tolist()]),
        start=bos,
        end=eos,
        beam=beam,
        max_length=max_length,
        alpha=length_penalty,
    )


def _search(
    log_probabilities: LogProbabilities,
    beam: int,
    bos: int,
    eos: int,
    max_length: int,
    *,
    of_each: bool = False,
    shrinks: bool = False,
    lets_end: bool = True,
    stops: Callable[[list], bool] = lambda found: False,
) -> list[tuple[float, tuple[int, ...]]]:
    """Return what was finished, and what was alive at the end, in the order found.

    With `of_each` the beam is as wide for each sequence alone, with `shrinks` every sequence that
    is finished makes it narrower for good, without `lets_end` such a sequence stays alive, and the
    search ends early where `stops(finished ones)`.
    """

    def likeliest(pairs):
        return sorted(pairs, key=lambda pair: -pair[0])[:beam]

    live, found = [(0.0, (bos,))], []
    for _ in range(max_length):
        longer = [
            [
                (total + float(log_p), (*prefix, token))
                for token, log_p in enumerate(log_probabilities(prefix))
            ]
            for total, prefix in live
        ]
        ranked = [*chain(*map(likeliest, longer))] if of_each else likeliest(chain(*longer))
        ended = [pair for pair in ranked if pair[1][-1] == eos]
        live = [pair for pair in ranked if pair[1][-1] != eos] if lets_end else ranked
        beam -= len(ended) * shrinks
        found += ended
        if stops(found):
            break
    return found + live


Score = Callable[[float, int, float], float]


def _beam_score(total: float, n: int, alpha: float) -> float:
    return total / ((5 + n) / 6) ** alpha


def _beam_variant(
    score: Score = _beam_score,
    width: Callable[[int], int] = lambda beam: beam,
    steps: Callable[[int], int] = lambda max_length: max_length,
    stops_at: Callable[[int], float] = lambda beam: np.inf,
    unfinished: bool = False,
    **options: bool,
):
    """Return a beam search with another score, width, length, end, or idea of what counts."""

    def search(log_probabilities, beam, length_penalty, bos, eos, max_length):
        found = _search(
            log_probabilities,
            width(beam),
            bos,
            eos,
            steps(max_length),
            stops=lambda found: len(found) >= stops_at(beam),
            **options,
        )
        finished = [pair for pair in found if pair[1][-1] == eos]
        counted = found if unfinished or not finished else finished
        return max(counted, key=lambda pair: score(pair[0], len(pair[1]) - 1, length_penalty))[1]

    return search


_WRONG_SCORES: tuple[tuple[Score, str], ...] = (
    (
        lambda total, n, alpha: total,
        "You compared the log-probabilities without the length penalty: each further token makes "
        "them lower, so that short sequences win.",
    ),
    (
        lambda total, n, alpha: total * ((5 + n) / 6) ** alpha,
        "You multiplied by the length penalty. Log-probabilities are negative: dividing by a "
        "number above 1 is what makes a long sequence better.",
    ),
    (
        lambda total, n, alpha: total / n,
        "You divided by the number of tokens. The length penalty of the task grows more slowly: "
        "((5 + n) / 6)^length_penalty.",
    ),
    (
        lambda total, n, alpha: total / ((5 + n) / 6),
        "`length_penalty` is an exponent: the logarithm is divided by "
        "((5 + n) / 6)^length_penalty.",
    ),
    (
        lambda total, n, alpha: total / ((4 + n) / 6) ** alpha,
        "Your length is one too small: n counts all tokens after bos, eos included.",
    ),
    (
        lambda total, n, alpha: total / ((6 + n) / 6) ** alpha,
        "Your length is one too large: n counts the tokens after bos, not bos itself.",
    ),
)

_BEAM_MISTAKES = (
    *(Mistake(_beam_variant(score), message) for score, message in _WRONG_SCORES),
    Mistake(
        _beam_variant(unfinished=True),
        "You returned a sequence that has no end: only finished ones count, those with eos.",
    ),
    Mistake(
        _beam_variant(width=lambda beam: 1),
        "This is greedy search: you kept one sequence in each step, not `beam` of them.",
    ),
    Mistake(
        _beam_variant(stops_at=lambda beam: 1),
        "You stopped at the first sequence that was finished; a longer one may be better.",
    ),
    Mistake(
        _beam_variant(stops_at=lambda beam: beam),
        "You stopped when `beam` sequences were finished. Go on as long as one is alive and has "
        "fewer than `max_length` tokens after bos: it may become the best.",
    ),
    Mistake(
        _beam_variant(shrinks=True),
        "Your beam becomes narrower for good when a sequence is finished. In the next step the "
        "`beam` likeliest continuations are kept again.",
    ),
    Mistake(
        _beam_variant(lets_end=False),
        "Sequences that have ended are continued in your search. With eos a sequence is finished: "
        "it leaves the beam.",
    ),
    Mistake(
        _beam_variant(steps=lambda max_length: max_length - 1),
        "You stopped one step too soon: a sequence may have `max_length` tokens after bos, which "
        "does not count.",
    ),
    Mistake(
        _beam_variant(steps=lambda max_length: max_length + 1),
        "You went one step too far: a sequence has at most `max_length` tokens after bos.",
    ),
    Mistake(
        lambda *args: beam_search(*args)[1:],
        "The sequence lacks its bos: return it with bos and eos.",
    ),
    # these two take long, so they are tried last
    Mistake(
        _beam_variant(of_each=True),
        "You kept the `beam` likeliest continuations of each sequence. Put those of all live "
        "sequences into one list, and keep the `beam` likeliest of that.",
    ),
    Mistake(
        _beam_variant(width=lambda beam: 10**9),
        "No sequence ever leaves your beam. In each step keep the `beam` likeliest of all "
        "continuations of all live sequences.",
    ),
)

BOS, EOS, LOST = "^", "$", "uvwxyz"
"""In the languages of the cases. Who is lost wanders about and never ends."""

Language = dict[str, dict[str, float]]

_TRAPS: dict[str, tuple[Language, int, int]] = {
    "the best begins behind the beam": (
        {
            "^": {"A": 0.6, "B": 0.35},
            "A": {"C": 0.45, "D": 0.4},
            "B": {"E": 0.6},
            "C": {"$": 0.5},
            "D": {"$": 0.5},
        },
        2,
        3,
    ),
    "the likeliest first token leads astray": (
        {"^": {"A": 0.55, "B": 0.4}, "A": {"C": 0.4, "D": 0.3, "E": 0.2}, "B": {"F": 0.9}},
        2,
        5,
    ),
    "the likeliest sequence never ends": (
        {"^": {"A": 0.3, "B": 0.6}, "B": {"B": 0.97}},
        2,
        5,
    ),
    "the first to end is unlikely": (
        {"^": {"A": 0.1, "B": 0.8}, "B": {"C": 0.95}, "C": {"D": 0.95}},
        2,
        6,
    ),
    "the best comes after `beam` others": (
        {"^": {"A": 0.3, "B": 0.6}, "B": {"C": 0.75}, "C": {"D": 0.75, "$": 0.2}},
        2,
        6,
    ),
    "a trap after one has ended": (
        {
            "^": {"A": 0.2, "B": 0.75},
            "B": {"C": 0.95},
            "C": {"D": 0.5, "E": 0.45},
            "D": {"F": 0.35, "G": 0.3, "H": 0.3},
        },
        2,
        7,
    ),
    "one as long as is allowed, and a better one that is longer": (
        {
            "^": {"A": 0.1, "B": 0.3, "C": 0.55},
            **{before: {after: 0.95} for before, after in pairwise("BDEF")},
            **{before: {after: 0.95} for before, after in pairwise("CGHIJ")},
        },
        3,
        5,
    ),
}
"""Languages in which a slip shows, with the width of the beam and the largest length."""


def _beam_cases(rng: np.random.Generator) -> list[Case]:
    """Return a case for every slip of a search, for every wrong score, and two at random."""
    return [
        *(
            _beam_case(rng, language, beam, float(rng.uniform(0.6, 0.75)), max_length, note)
            for note, (language, beam, max_length) in _TRAPS.items()
        ),
        *_score_cases(rng),
        _random_case(rng, 5, 3, 0.0, 6),
        _random_case(rng, 7, 2, float(rng.uniform(1.2, 1.5)), 8),
    ]


def _beam_case(
    rng: np.random.Generator,
    language: Language,
    beam: int,
    penalty: float,
    max_length: int,
    note: str,
) -> Case:
    """Return a case in which every token that goes nowhere ends."""
    used = sorted({*language, *chain(*language.values())} - {BOS, EOS})
    symbols = [BOS, EOS, *used, *LOST]
    number = dict(zip(symbols, rng.permutation(len(symbols)).tolist(), strict=True))
    lost = [number[symbol] for symbol in LOST]
    table = np.full((len(symbols), len(symbols)), 1e-9)
    for before in symbols:
        row = table[number[before]]
        for after, p in ({} if before in LOST else language.get(before, {EOS: 0.95})).items():
            row[number[after]] = p
        row[lost] = (1 - row.sum()) * rng.dirichlet([50] * len(LOST))
    args = (ToyLanguage(np.log(table)[None]), beam, penalty, number[BOS], number[EOS], max_length)
    return Case(args, note=note)


def _score_cases(rng: np.random.Generator) -> list[Case]:
    """Return cases of which any two scores, the right one among them, decide one differently.

    One sequence has 2 tokens after bos, the other 6. A score prefers the long one if its log p is
    at most so many times that of the short one; where two scores are neighbours, we go between.
    """
    penalty = float(rng.uniform(0.6, 0.75))  # no two of the scores are alike
    scores = (_beam_score, *(score for score, _ in _WRONG_SCORES))
    factors = sorted(score(-1.0, 2, penalty) / score(-1.0, 6, penalty) for score in scores)
    cases = []
    for factor in (sqrt(one * other) for one, other in pairwise(factors)):
        log_short = float(np.log(rng.uniform(0.34, 0.38)))
        language = {
            "^": {"A": 0.45, "B": 0.5},
            "A": {EOS: np.exp(log_short) / 0.45},
            "F": {EOS: np.exp(factor * log_short) / (0.5 * 0.98**4)},
            **{before: {after: 0.98} for before, after in pairwise("BCDEF")},
        }
        note = "a short sequence against a long one"
        cases.append(_beam_case(rng, language, 3, penalty, 6, note))
    return cases


def _random_case(
    rng: np.random.Generator, n_tokens: int, beam: int, penalty: float, max_length: int
) -> Case:
    """Return a language in which everything is possible until `max_length`, when all must end."""
    bos, eos = (int(token) for token in rng.choice(n_tokens, size=2, replace=False))
    logits = 1.5 * rng.normal(size=(max_length, n_tokens, n_tokens))
    logits[..., eos] += np.linspace(-1.5, 1.5, max_length)[:, None]
    logits[-1, :, eos] = 50
    args = (ToyLanguage(np.log(softmax(logits))), beam, penalty, bos, eos, max_length)
    return Case(args, note=f"{n_tokens} tokens, a beam of {beam}")


BEAM_SEARCH = Exercise(
    name="transformer.beam_search",
    title="Beam search with a length penalty",
    points=3,
    stars=3,
    reference=beam_search,
    cases=_beam_cases,
    mistakes=_BEAM_MISTAKES,
    hints=(
        "Keep two lists of pairs (log-probability, sequence): the live ones, at first "
        "[(0.0, (bos,))], and the finished ones.",
        "In each step make one list of all continuations of all live sequences, sort it by "
        "log-probability and take the first `beam`; then part those that end in eos from the rest.",
        "At the end: max(finished, key=lambda pair: pair[0] / ((5 + len(pair[1]) - 1) / 6) ** "
        "length_penalty)[1]",
    ),
)

# --- counting ------------------------------------------------------------------------------------


def attention_flops(n_tokens: int, d_model: int) -> int:
    """Return the FLOPs of one self-attention layer forwards, a multiply-add counted as two."""
    return ref.layer_flops(1, n_tokens, d_model, 1, 1, feed_forward_matrices=0)


ATTENTION_FLOPS = Exercise(
    name="transformer.attention_flops",
    title="Counting",
    points=1,
    stars=1,
    reference=attention_flops,
    cases=lambda rng: [
        Case((4, 3)),
        Case((int(rng.integers(100, 2000)), int(rng.integers(100, 2000))), note="at random"),
        Case((100_000, 64), note="long and narrow"),
        Case((10, 4096), note="short and wide"),
    ],
    mistakes=(
        Mistake(
            lambda n_tokens, d_model: attention_flops(n_tokens, d_model) // 2,
            "You counted a multiply-add once; it is two operations, one multiplication and one "
            "addition.",
        ),
        Mistake(
            lambda n_tokens, d_model: 8 * n_tokens * d_model**2,
            "These are the four projections alone. The scores q kᵀ and the weighted sum p v are "
            "missing, which grow with T².",
        ),
        Mistake(
            lambda n_tokens, d_model: 4 * n_tokens**2 * d_model,
            "These are q kᵀ and p v alone; the four projections are missing.",
        ),
        Mistake(
            lambda n_tokens, d_model: 6 * n_tokens * d_model**2 + 4 * n_tokens**2 * d_model,
            "You counted three projections, of q, k and v; the fourth mixes the heads at the end.",
        ),
        Mistake(
            lambda n_tokens, d_model: 8 * n_tokens * d_model**2 + 2 * n_tokens**2 * d_model,
            "There are two products with T × T numbers: q kᵀ makes them, p v uses them.",
        ),
        Mistake(
            lambda n_tokens, d_model: attention_flops(n_tokens, d_model) + 5 * n_tokens**2,
            "You counted the softmax as well. The task counts the products of matrices only: the "
            "softmax takes a few operations for each score, not 4 D.",
        ),
    ),
    hints=(
        "A product of (m, n) and (n, p) has m · p sums of n products: 2 m n p operations.",
        "Four projections (T, D) by (D, D); then q kᵀ, (T, D) by (D, T), and p v, (T, T) by "
        "(T, D). The heads share out D and change nothing.",
        "return 8 * n_tokens * d_model**2 + 4 * n_tokens**2 * d_model",
    ),
)

# --- a project: translate dates ------------------------------------------------------------------

Translator = Callable[[list[str]], list[str]]

SOURCES, TARGETS = ("de", "el", "en", "ru"), ("fa", "hu")
"""The chapter's translator knows neither target, so that it cannot stand in for an answer."""
PAIRS_TO_TRAIN, PAIRS_TO_TEST = 4000, 300
REQUIRED_EXACT = 0.85


@dataclass(frozen=True)
class _DatesCase(Case):
    """Pairs to train on, and others to be judged by: two languages, no date in both.

    The seed that the answer is given is for its training. It has drawn none of the pairs.
    """

    unseen: DatePairs | None = None


def translate(sources: list[str], targets: list[str], seed: int) -> Translator:
    """Return a translator, a function from texts to translations, trained on pairs of texts."""
    return _train_translator(sources, targets, seed)


def _train_translator(
    sources: list[str],
    targets: list[str],
    seed: int,
    *,
    steps: int = 500,
) -> Translator:
    """Train a small Transformer, one token for each character, and decode greedily."""
    import torch
    import torch.nn.functional as F

    from .experiments.tokens import PADDING, Vocabulary, padded
    from .experiments.translating import greedy
    from .torch_impl import Transformer

    vocabulary = Vocabulary((), tuple(sorted(set("".join(sources + targets)))))
    longest = max(map(len, targets)) + 1  # the end

    def encode(texts: list[str]) -> torch.Tensor:
        return torch.from_numpy(padded([vocabulary.encode_target(text) for text in texts]))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        size = len(vocabulary)
        model = Transformer(size, size, 64, 4, 1, 256, norm_first=True, position_base=30.0)
        optimizer = torch.optim.AdamW(
            model.parameters(), betas=(0.9, 0.95), weight_decay=0.1, fused=True
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, 5e-3, total_steps=max(steps, 1), pct_start=0.15
        )
        x, y = encode(sources), encode(targets)
        for _ in range(steps):
            rows = torch.randint(len(x), (16,))
            logits = model(x[rows], y[rows, :-1])
            loss = F.cross_entropy(
                logits.flatten(0, 1), y[rows, 1:].flatten(), ignore_index=PADDING
            )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()

    def translator(texts: list[str]) -> list[str]:
        return [vocabulary.decode(row) for row in greedy(model, encode(texts), longest).tolist()]

    return translator


def _translate_cases(rng: np.random.Generator) -> list[Case]:
    languages = str(rng.choice(SOURCES)), str(rng.choice(TARGETS))
    dates = load_cldr_dates(languages, seed=int(rng.integers(10_000)))
    pairs = dates.draw(rng, PAIRS_TO_TRAIN, "train", *languages)
    unseen = dates.draw(rng, PAIRS_TO_TEST, "test", *languages)
    args = (pairs.sources, pairs.targets, int(rng.integers(10_000)))
    return [_DatesCase(args, note=f"dates, {' to '.join(languages)}", unseen=unseen)]


def judge_translator(case: _DatesCase, answer: Translator) -> str | None:
    """Say what is wrong with a translator of dates that it has not seen, None when it is fine."""
    if not callable(answer):
        return (
            "Return a translator, a function that takes a list of texts and returns the list of "
            "their translations."
        )
    (sources, targets, _), unseen = case.args, case.unseen
    translations = answer(list(unseen.sources))
    if not (
        isinstance(translations, (list, tuple))
        and len(translations) == len(unseen)
        and all(isinstance(text, str) for text in translations)
    ):
        return (
            f"The translator was given a list of {len(unseen)} texts and must return as many "
            "strings, in the same order."
        )
    exact = np.mean([a == b for a, b in zip(translations, unseen.targets, strict=True)])
    if exact >= REQUIRED_EXACT:
        return None
    pairs = list(zip(translations, unseen.targets, strict=True))
    wrong = next(i for i, (mine, right) in enumerate(pairs) if mine != right)
    found = (
        f"Of {len(unseen)} unseen dates {exact:.1%} are right in every character; at least "
        f"{REQUIRED_EXACT:.0%} are asked for. {unseen.sources[wrong]!r} became "
        f"{translations[wrong][:40]!r}, where {unseen.targets[wrong]!r} was expected."
    )
    begins_right = np.mean([mine.startswith(right) for mine, right in pairs])
    if begins_right >= REQUIRED_EXACT:
        return (
            f"{found} {begins_right:.1%} begin right and go on behind the end: cut each "
            "translation at the end token."
        )
    again = answer(list(sources[: len(unseen)]))
    by_heart = np.mean([mine == right for mine, right in zip(again, targets, strict=False)])
    verdict = "it learnt them by heart" if by_heart > exact + 0.2 else "it has not learnt enough"
    return f"{found} Of the dates that it was trained on {by_heart:.1%} are right: {verdict}."


def _look_up(sources: list[str], targets: list[str], seed: int) -> Translator:
    table = dict(zip(sources, targets, strict=True))

    def translator(texts: list[str]) -> list[str]:
        return [table.get(text, targets[0]) for text in texts]

    return translator


def _untrained(sources: list[str], targets: list[str], seed: int) -> Translator:
    return _train_translator(sources, targets, seed, steps=0)


def _most_similar(sources: list[str], targets: list[str], seed: int) -> Translator:
    characters = sorted(set("".join(sources)))

    def features(texts: list[str]) -> Array:
        counts = np.array([[text.count(c) for c in characters] for text in texts], dtype=float)
        return counts / np.sqrt((counts**2).sum(axis=1, keepdims=True))

    known = features(sources)

    def translator(texts: list[str]) -> list[str]:
        return [targets[i] for i in (features(texts) @ known.T).argmax(axis=1)]

    return translator


TRANSLATE = Exercise(
    name="transformer.translate",
    title="Project: translate dates",
    points=5,
    gradable=False,
    stars=3,
    reference=translate,
    cases=_translate_cases,
    mistakes=(
        Mistake(
            _look_up,
            "This is a table of the pairs: it knows the dates that it was given and no other. The "
            "dates of the test occur in no pair, so the translator has to learn how dates are "
            "written.",
        ),
        Mistake(
            _untrained,
            "Every translation is empty: the model repeats the token that it is given. Either it "
            "is still untrained, or in training the decoder was given the very character that it "
            "should predict. Its input is the target shifted by one: start token first, last token "
            "left out.",
        ),
        Mistake(
            _most_similar,
            "This takes the translation of the most similar date that it knows: a fine baseline "
            "for long texts, but one digit further is another date.",
        ),
    ),
    hints=(
        "One vocabulary of all characters that occur, with tokens for padding, start and end in "
        "front; the PyTorch `Transformer` of this chapter needs no more than one layer of width "
        "64 each in encoder and decoder.",
        "Train on targets[:, :-1] as the decoder's input and targets[:, 1:] as what it should say, "
        "padding left out of the loss. 500 steps of 16 pairs drawn at random are enough with AdamW "
        "(betas=(0.9, 0.95), weight_decay=0.1), if the learning rate warms up to about 5e-3 and "
        "falls again. The texts are short: position_base=30.",
        "To translate: encode once, begin with the start token, and append the likeliest token "
        "until all have ended; then cut at the end token.",
    ),
    judge=judge_translator,
)

EXERCISES: tuple[Exercise, ...] = (
    ATTENTION,
    ATTENTION_WEIGHTS_BACKWARD,
    SPLIT_HEADS,
    JOIN_HEADS,
    SINUSOIDAL_POSITIONS,
    ROTARY,
    CAUSAL_MASK_FOR_STEP,
    RMS_NORM_BACKWARD,
    MERGE_TILES,
    GROUPED_QUERY_SCORES,
    BEAM_SEARCH,
    ATTENTION_FLOPS,
    TRANSLATE,
)
