"""Exercises: the scores of TransE and ComplEx, and the rotations of RotatE."""

from collections.abc import Callable

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from .. import reference as ref
from ..reference.complex_numbers import complex_product, conjugate, halves, rotation

# --- the score of TransE -------------------------------------------------------------------------


def transe_score(s: Array, r: Array, t: Array, p: int) -> Array:
    """Return the scores (B,) of facts with the rows s, r and t (B, D), p being 1 or 2."""
    model = ref.TransE(1, 1, s.shape[1], p=p)
    scores, _ = model.matching.forward(model.query(s, r), t[:, None])
    return scores[:, 0]


def _transe_cases(rng: np.random.Generator) -> list[Case]:
    def case(b: int, d: int, p: int, note: str = "") -> Case:
        return Case((*rng.normal(size=(3, b, d)), p), note=note)

    s, r, _, _ = case(3, 5, 1).args
    return [
        case(7, 5, 1),
        case(5, 11, 2),
        case(2, 1, 2, "one number each"),
        case(1, 13, 2, "one fact"),
        Case((s, r, s + r, 1), note="the step arrives"),
    ]


TRANSE_SCORE = Exercise(
    name="knowledge_graph.transe_score",
    title="The score of TransE",
    points=1,
    stars=1,
    reference=transe_score,
    cases=_transe_cases,
    mistakes=(
        Mistake(
            lambda s, r, t, p: np.linalg.norm(s + r - t, ord=p, axis=1),
            "This is the distance. The score is its negative, so that what is nearer scores "
            "higher: nobody is more plausible than one who lies 0 away.",
        ),
        Mistake(
            lambda s, r, t, p: -np.linalg.norm(s + t - r, ord=p, axis=1),
            "You measured how far s + t is from r. The relation is the step from s to t: "
            "s + r - t.",
        ),
        Mistake(
            lambda s, r, t, p: -np.linalg.norm(s - r - t, ord=p, axis=1),
            "You went the step back: the difference is s + r - t, not s - r - t.",
        ),
        Mistake(
            lambda s, r, t, p: -(np.abs(s + r - t) ** p).sum(axis=1),
            "The root is missing: for p = 2 the norm is √Σ x², and you returned Σ x². It ranks "
            "alike, but margins and gradients are others.",
        ),
        Mistake(
            lambda s, r, t, p: -np.linalg.norm(s + r - t, axis=1),
            "You always take the Euclidean norm; p = 1 asks for the sum of the absolute values.",
        ),
        Mistake(
            lambda s, r, t, p: -np.linalg.norm(s + r - t, ord=p),
            "np.linalg.norm without an axis takes the norm of the whole matrix, one number for all "
            "facts: give it axis=1.",
        ),
    ),
    hints=(
        "How far does the step r from s end from t? One difference, one norm along the last axis, "
        "and a minus.",
        "‖x‖₁ = Σ |x_i| and ‖x‖₂ = √Σ x_i²: np.linalg.norm(x, ord=p, axis=...) knows both.",
        "return -np.linalg.norm(s + r - t, ord=p, axis=-1)",
    ),
)

# --- ComplEx with real numbers -------------------------------------------------------------------


def complex_score(s: Array, r: Array, t: Array) -> Array:
    """Return the scores (B,) of ComplEx, each input (B, 2d), real parts first."""
    model = ref.ComplEx(1, 1, s.shape[1] // 2)
    scores, _ = model.matching.forward(model.query(s, r), t[:, None])
    return scores[:, 0]


def _to_complex(x: Array) -> Array:
    real, imaginary = halves(x)
    return real + 1j * imaginary


def _from_neighbours(x: Array) -> Array:
    return x[..., 0::2] + 1j * x[..., 1::2]


def _complex_variant(
    product: Callable[[Array, Array, Array], Array] = lambda s, r, t: s * r * t.conj(),
    part: Callable[[Array], Array] = np.real,
    numbers: Callable[[Array], Array] = _to_complex,
):
    """Return the score with something changed: the product, which part of it, how it is stored."""
    return lambda s, r, t: part(product(*map(numbers, (s, r, t))).sum(axis=-1)).copy()


COMPLEX_SCORE = Exercise(
    name="knowledge_graph.complex_score",
    title="ComplEx with real numbers",
    points=2,
    stars=2,
    reference=complex_score,
    cases=lambda rng: [
        Case(tuple(rng.normal(size=(3, b, 2 * d))), note=note)
        for b, d, note in ((7, 3, ""), (5, 11, ""), (2, 1, "one complex number"), (1, 5, ""))
    ],
    mistakes=(
        Mistake(
            _complex_variant(lambda s, r, t: s * r * t),
            "The target is not conjugated: it is s r t̄, the imaginary part of t with the other "
            "sign.",
        ),
        Mistake(
            _complex_variant(lambda s, r, t: s.conj() * r * t),
            "You conjugated the source, or all but the source, which has the same real part. It is "
            "the target: yours is the score of the fact read backwards, (t, r, s).",
        ),
        Mistake(
            _complex_variant(lambda s, r, t: s * r.conj() * t),
            "You conjugated the relation; it is the target.",
        ),
        Mistake(
            lambda s, r, t: (s * r * t).sum(axis=-1),
            "This is DistMult with 2d real numbers: it multiplies real parts with real parts and "
            "imaginary parts with imaginary parts, and i · i = -1 never comes up.",
        ),
        Mistake(
            _complex_variant(part=np.imag),
            "This is the imaginary part of the sum; the score is its real part.",
        ),
        Mistake(
            _complex_variant(numbers=_from_neighbours),
            "You took neighbours for one complex number. Here all real parts come first: number i "
            "is x[i] + i · x[i + d].",
        ),
        Mistake(
            _complex_variant(part=lambda x: x),
            "You returned complex numbers; the score is their real part.",
        ),
    ),
    hints=(
        "First the query q = s r, a complex product with real and imaginary part; then the real "
        "part of q t̄.",
        "(a + ib)(c + id) = (ac - bd) + i (ad + bc), and Re (u + iv)(x - iy) = ux + vy: the dot "
        "product of the halves.",
        "with the halves a, b of s; c, e of r; x, y of t: "
        "((a * c - b * e) * x + (a * e + b * c) * y).sum(axis=-1)",
    ),
)

# --- RotatE --------------------------------------------------------------------------------------


def turn_back(t: Array, angles: Array) -> Array:
    """Return the source (B, 2d) that the rotation by angles (B, d) brings to t (B, 2d)."""
    model = ref.RotatE(1, 1, angles.shape[1])
    return model.query(t, model.inverse(angles))


def _turned(x: Array, real: tuple[int, int], imaginary: tuple[int, int], angles: Array) -> Array:
    """Return x with a cos and b sin of each part added up with other signs."""
    (a, b), cos, sin = halves(x), np.cos(angles), np.sin(angles)
    return np.concatenate(
        [
            real[0] * a * cos + real[1] * b * sin,
            imaginary[0] * b * cos + imaginary[1] * a * sin,
        ],
        axis=-1,
    )


def _turn_back_neighbours(t: Array, angles: Array) -> Array:
    d = angles.shape[1]
    order = np.stack([np.arange(d), d + np.arange(d)], axis=1).ravel()
    place = np.argsort(order)
    return turn_back(t[:, place], angles)[:, order]


TURN_BACK = Exercise(
    name="knowledge_graph.turn_back",
    title="Turning back",
    points=1,
    stars=1,
    reference=turn_back,
    cases=lambda rng: [
        Case((rng.normal(size=(b, 2 * d)), rng.uniform(-size, size, size=(b, d))), note=note)
        for b, d, size, note in (
            (7, 3, np.pi, ""),
            (3, 5, 9.0, "more than one turn"),
            (1, 2, np.pi, "one source"),
        )
    ],
    mistakes=(
        Mistake(
            lambda t, angles: complex_product(t, rotation(angles)),
            "You turned forwards, once more. The way back is the rotation by -θ: the sine changes "
            "its sign.",
        ),
        Mistake(
            lambda t, angles: -complex_product(t, rotation(angles)),
            "You changed the sign of the result, which is another half turn. What changes its "
            "sign is the angle.",
        ),
        Mistake(
            lambda t, angles: _turned(t, (1, 1), (1, 1), angles),
            "Both your parts have a plus. A rotation has one minus: turning back, it is "
            "x cos θ + y sin θ and y cos θ - x sin θ; without it lengths change.",
        ),
        Mistake(
            lambda t, angles: conjugate(complex_product(t, rotation(angles))),
            "You conjugated t as well: (t e^(iθ)) conjugated is t̄ e^(-iθ), and t stays as it is.",
        ),
        Mistake(
            _turn_back_neighbours,
            "You took neighbours for one complex number. Here all real parts come first: number i "
            "is t[i] + i · t[i + d].",
        ),
    ),
    hints=(
        "If s e^(iθ) = t, then s = t e^(-iθ): turning back is turning by the negative angle.",
        "cos(-θ) = cos θ and sin(-θ) = -sin θ; then one complex product, the halves of t with "
        "these two.",
        "x, y = t[:, :d], t[:, d:]; return np.concatenate([x * cos + y * sin, y * cos - x * sin], "
        "axis=1)",
    ),
)


def compose(first: Array, second: Array) -> Array:
    """Return the angles, in [-π, π), of turning by `first` and then by `second`."""
    return (first + second + np.pi) % (2 * np.pi) - np.pi


def _wrapped_once(angles: Array) -> Array:
    angles = np.where(angles >= np.pi, angles - 2 * np.pi, angles)
    return np.where(angles < -np.pi, angles + 2 * np.pi, angles)


def _between(rng: np.random.Generator, *shape: int, size: float) -> tuple[Array, Array]:
    """Draw two angles each whose sum is no odd multiple of π, nor near to one."""
    first, second = rng.uniform(-size, size, size=(2, *shape))
    near = np.abs(np.abs(compose(first, second)) - np.pi) < 1e-3
    return first, np.where(near, second + 0.1, second)


_ENDS = np.array([np.pi, 0.0, -np.pi, 0.0, np.pi / 2, np.pi / 2, 20.0, -20.0, -20.0, 20.0])
"""Neighbours add up to half a turn either way, or to more than one; π and -π are exact here."""

COMPOSE = Exercise(
    name="knowledge_graph.compose",
    title="One rotation after the other",
    points=1,
    stars=1,
    reference=compose,
    cases=lambda rng: [
        Case(_between(rng, 31, size=np.pi)),
        Case(_between(rng, 5, 17, size=np.pi), note="several relations"),
        Case(_between(rng, 23, size=20.0), note="more than one turn"),
        Case((np.full(3, 3.0), np.full(3, 3.0)), note="nearly half a turn, twice"),
        Case((_ENDS, np.append(_ENDS[1:], 20.0)), note="half a turn, and many turns"),
    ],
    mistakes=(
        Mistake(
            lambda first, second: first + second,
            "The sum is right, but not brought into [-π, π): take away whole turns.",
        ),
        Mistake(
            lambda first, second: (first + second) / 2,
            "You averaged. Turning by one and then by the other turns by their sum.",
        ),
        Mistake(
            lambda first, second: compose((first + second) / 2, 0.0),
            "You averaged. Turning by one and then by the other turns by their sum.",
        ),
        Mistake(
            lambda first, second: (first + second) % (2 * np.pi),
            "Your angles lie in [0, 2π); they should lie in [-π, π): shift by π before the "
            "remainder, and back after it.",
        ),
        Mistake(
            lambda first, second: _wrapped_once(first + second),
            "You took away one turn at most. Trained angles are free to turn many times: use the "
            "remainder, %.",
        ),
        Mistake(
            lambda first, second: np.angle(np.exp(1j * (first + second))),
            "Half a turn comes out as π, where -π is wanted: np.angle and np.arctan2 return angles "
            "in (-π, π], the other end left out. Take the remainder, %.",
        ),
        Mistake(
            lambda first, second: np.fmod(first + second + np.pi, 2 * np.pi) - np.pi,
            "np.fmod gives negative sums a negative remainder. % (np.mod) has the sign of the "
            "divisor, as you need it.",
        ),
        Mistake(
            lambda first, second: np.clip(first + second, -np.pi, np.pi),
            "You cut off what is beyond half a turn. A turn of 200° is one of -160°, not one of "
            "180°: take away whole turns.",
        ),
    ),
    hints=(
        "e^(iα) e^(iβ) = e^(i(α + β)): angles add up. Then take away whole turns of 2π.",
        "x % (2π) lies in [0, 2π). Which shift, before and after, makes [-π, π) of it?",
        "return (first + second + np.pi) % (2 * np.pi) - np.pi",
    ),
)
