"""Positions: attention does not see the order of its keys; these three say where each one stands.

`offset` is the position of the first token: 0 for a whole sequence, the number of tokens before it
for a step with a cache.
"""

from dataclasses import dataclass

import numpy as np

from bigmodel_edu.errors import HyperparameterError, LengthError
from bigmodel_edu.layer import (
    Array,
    Cache,
    Gradients,
    Layer,
    Params,
    expect_count,
    expect_floats,
    expect_not_negative,
    expect_shape,
)


def angles(n_positions: int, features: int, base: float, offset: int, like: Array) -> Array:
    """Return position · base^(-2 i / `features`) in float64 (T, features / 2), i from 0."""
    frequencies = base ** (-np.arange(0, features, 2, like=like) / features)
    return np.arange(offset, offset + n_positions, like=like)[:, None] * frequencies


def expect_even(name: str, value: int) -> None:
    """Raise HyperparameterError unless `value` is an even number of 2 or more."""
    expect_count(name, value)
    if value % 2:
        raise HyperparameterError(
            f"{name} is {value}, expected an even number: the features are taken in pairs, a sine "
            "and a cosine for each."
        )


def expect_base(base: float) -> None:
    """Raise HyperparameterError unless `base` is a number above 1."""
    if not base > 1:
        raise HyperparameterError(
            f"base is {base}, expected a number above 1: wavelengths grow from 2π to 2π · base."
        )


@dataclass(frozen=True)
class SinusoidalPositions(Layer):
    """Adds sines and cosines of the position (Vaswani et al. 2017, section 3.5).

    y_t = x_t + e_t with e_{t, 2i} = sin(t / b^{2i/D}), e_{t, 2i+1} = cos(t / b^{2i/D}).

    Shapes: x and y (B, T, D), D = `d_model`, even; b = `base`, 10000 in the paper. Wavelengths grow
    from 2π to 2π b: for short sequences a smaller b tells neighbours apart with more features.
    """

    d_model: int
    base: float = 10000.0

    def __post_init__(self) -> None:
        expect_even("d_model", self.d_model)
        expect_base(self.base)

    def forward(self, params: Params, x: Array, *, offset: int = 0) -> tuple[Array, Cache]:
        expect_floats("x", x)
        expect_shape("x", x, "B", "T", self.d_model)
        expect_not_negative("offset", offset)
        return x + self.table(x.shape[1], offset=offset, like=x), None

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        return (dy,), {}

    def table(self, length: int, *, offset: int = 0, like: Array) -> Array:
        """Return the encodings e (T, D) of `length` positions, in the dtype of `like`."""
        angle = angles(length, self.d_model, self.base, offset, like)
        pairs = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
        return pairs.reshape(length, self.d_model).astype(like.dtype)


@dataclass(frozen=True)
class LearnedPositions(Layer):
    """Adds a learned vector for each position, y_t = x_t + w_t.

    Shapes: x and y (B, T, D), weight (L, D), L = `max_length`, D = `d_model`, T ≤ L.
    """

    max_length: int
    d_model: int

    def __post_init__(self) -> None:
        expect_count("max_length", self.max_length)
        expect_count("d_model", self.d_model)

    def init(self, rng: np.random.Generator) -> Params:
        return {"weight": rng.normal(0, 0.02, size=(self.max_length, self.d_model))}

    def forward(self, params: Params, x: Array, *, offset: int = 0) -> tuple[Array, Cache]:
        expect_floats("x", x)
        expect_shape("x", x, "B", "T", self.d_model)
        expect_not_negative("offset", offset)
        end = offset + x.shape[1]
        expect_at_most(end, self.max_length)
        return x + params["weight"][offset:end], slice(offset, end)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        positions = cache
        d_weight = np.zeros_like(params["weight"])
        d_weight[positions] = dy.sum(axis=0)
        return (dy,), {"weight": d_weight}


def expect_at_most(length: int, max_length: int) -> None:
    """Raise LengthError when a sequence is longer than the positions."""
    if length > max_length:
        raise LengthError(
            f"the sequence reaches position {length}, expected at most {max_length} (max_length); "
            "cut it, or build the model with more positions."
        )


@dataclass(frozen=True)
class RotaryPositions(Layer):
    """Turns pairs of features by an angle that grows with the position (Su et al. 2021, eq. 34).

    Feature i and feature i + d/2 are a pair, as in the library transformers (the paper pairs
    neighbours, the same but for a permutation): with θ = t · base^{-2i/d},
    y_i = x_i cos θ - x_{i+d/2} sin θ and y_{i+d/2} = x_{i+d/2} cos θ + x_i sin θ. Turning a query
    by t and a key by u leaves a dot product that depends on t - u only.

    Shapes: x and y (..., T, d), d = `head_dim`, even. The gradient is turned back, by -θ.
    """

    head_dim: int
    base: float = 10000.0

    def __post_init__(self) -> None:
        expect_even("head_dim", self.head_dim)
        expect_base(self.base)

    def forward(self, params: Params, x: Array, *, offset: int = 0) -> tuple[Array, Cache]:
        expect_floats("x", x)
        expect_shape("x", x, "...", "T", self.head_dim)
        expect_not_negative("offset", offset)
        return self.turn(x, offset, 1), offset

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        offset = cache
        return (self.turn(dy, offset, -1),), {}

    def turn(self, x: Array, offset: int, direction: int) -> Array:
        """Return x turned forward (`direction` 1) or back (-1)."""
        angle = angles(x.shape[-2], self.head_dim, self.base, offset, x)
        cos = np.cos(angle).astype(x.dtype)
        sin = np.sin(direction * angle).astype(x.dtype)
        first, second = x[..., : self.head_dim // 2], x[..., self.head_dim // 2 :]
        # y_i = x_i cos θ - x_{i+d/2} sin θ,  y_{i+d/2} = x_{i+d/2} cos θ + x_i sin θ
        return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
