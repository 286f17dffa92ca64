"""Exercises: sinusoidal and rotary positions."""

from collections.abc import Callable

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from .. import reference as ref

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
