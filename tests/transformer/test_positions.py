"""Positions: the values of the papers, and what depends on relative positions only."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigmodel_edu.errors import HyperparameterError, LengthError, ShapeError
from bigmodel_edu.transformer.reference import (
    LearnedPositions,
    RotaryPositions,
    SinusoidalPositions,
)

quick = settings(max_examples=25, deadline=None, derandomize=True, database=None)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_sinusoids_by_hand():
    y, _ = SinusoidalPositions(4).forward({}, np.zeros((1, 2, 4)))
    expected = [[0, 1, 0, 1], [np.sin(1), np.cos(1), np.sin(0.01), np.cos(0.01)]]
    np.testing.assert_allclose(y[0], expected, rtol=1e-15)


def test_a_shift_turns_every_pair_by_the_same_angle():
    """What section 3.5 of the paper promises: e_{t+k} is a linear function of e_t."""
    table = SinusoidalPositions(6).table(50, like=np.zeros(1))
    pairs = table[:, 0::2] * 1j + table[:, 1::2]  # cos + i sin
    ratio = pairs[7:] / pairs[:-7]
    np.testing.assert_allclose(ratio, np.tile(ratio[:1], (43, 1)), rtol=1e-12)


def test_a_smaller_base_makes_the_waves_shorter():
    table = SinusoidalPositions(4, base=100.0).table(50, like=np.zeros(1))
    np.testing.assert_allclose(table[:, 2], np.sin(np.arange(50) / 10))  # 100^(2/4) = 10


@pytest.mark.parametrize("layer", [SinusoidalPositions(6), LearnedPositions(9, 6)])
def test_a_step_continues_the_sequence(layer):
    params = layer.init(np.random.default_rng(0))
    x = normal(2, 9, 6)
    whole, _ = layer.forward(params, x)
    for t in range(9):
        step, _ = layer.forward(params, x[:, t : t + 1], offset=t)
        np.testing.assert_array_equal(step, whole[:, t : t + 1])


def test_rotary_by_hand():
    """A quarter turn takes (1, 0) to (0, 1) and (0, 1) to (-1, 0); features i and i + d/2."""
    layer = RotaryPositions(4, base=100.0)
    y, _ = layer.forward({}, np.array([[1.0, 0, 0, 2], [1, 0, 0, 2]]))
    np.testing.assert_array_equal(y[0], [1, 0, 0, 2])
    expected = [np.cos(1), -2 * np.sin(0.1), np.sin(1), 2 * np.cos(0.1)]
    np.testing.assert_allclose(y[1], expected, rtol=1e-14)


@quick
@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
def test_dot_products_depend_on_the_distance_only(t, u, shift):
    layer, q, k = RotaryPositions(8), normal(1, 8), normal(1, 8, seed=1)

    def score(t, u):
        return (layer.forward({}, q, offset=t)[0] * layer.forward({}, k, offset=u)[0]).sum()

    np.testing.assert_allclose(score(t + shift, u + shift), score(t, u), atol=1e-10)


def test_rotation_keeps_lengths_and_backward_turns_back():
    layer, x = RotaryPositions(6), normal(2, 3, 7, 6)
    y, cache = layer.forward({}, x, offset=5)
    np.testing.assert_allclose((y**2).sum(-1), (x**2).sum(-1), rtol=1e-13)
    (back,), _ = layer.backward({}, cache, y)
    np.testing.assert_allclose(back, x, rtol=1e-12)


def test_angles_far_out_are_exact_in_float32():
    """Angles in float32 would be off by 1e-3 after 10,000 tokens."""
    layer, x = RotaryPositions(4), normal(1, 4)
    y, _ = layer.forward({}, x.astype(np.float32), offset=100_003)
    np.testing.assert_allclose(y, layer.forward({}, x, offset=100_003)[0], atol=1e-6)


def test_learned_positions_gather_the_gradient_of_the_batch():
    layer = LearnedPositions(4, 2)
    params = layer.init(np.random.default_rng(0))
    _, cache = layer.forward(params, np.zeros((3, 2, 2)), offset=1)
    _, grads = layer.backward(params, cache, np.ones((3, 2, 2)))
    np.testing.assert_array_equal(grads["weight"], [[0, 0], [3, 3], [3, 3], [0, 0]])


# Bad input


@pytest.mark.parametrize(("length", "offset"), [(10, 0), (1, 9), (3, 7)])
def test_sequences_longer_than_the_positions(length, offset):
    layer = LearnedPositions(9, 6)
    params = layer.init(np.random.default_rng(0))
    with pytest.raises(LengthError, match=r"reaches position 10, expected at most 9 \(max_length"):
        layer.forward(params, np.zeros((2, length, 6)), offset=offset)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: RotaryPositions(5), "head_dim is 5, expected an even number"),
        (lambda: RotaryPositions(0), "head_dim is 0"),
        (lambda: RotaryPositions(4, base=1.0), "base is 1.0, expected a number above 1"),
        (lambda: SinusoidalPositions(5), "d_model is 5, expected an even number"),
        (lambda: SinusoidalPositions(6, base=1.0), "base is 1.0, expected a number above 1"),
        (lambda: LearnedPositions(0, 5), "max_length is 0"),
        (lambda: LearnedPositions(5, 0), "d_model is 0"),
    ],
)
def test_hyperparameters(build, message):
    with pytest.raises(HyperparameterError, match=message):
        build()


@pytest.mark.parametrize(
    "layer", [SinusoidalPositions(6), LearnedPositions(9, 6), RotaryPositions(6)]
)
def test_input(layer):
    params = layer.init(np.random.default_rng(0))
    with pytest.raises(ShapeError, match="x is empty"):
        layer.forward(params, np.zeros((2, 0, 6)))
    with pytest.raises(ShapeError, match=r"x has shape \(2, 3, 7\)"):
        layer.forward(params, np.zeros((2, 3, 7)))
    with pytest.raises(HyperparameterError, match="offset is -1"):
        layer.forward(params, np.zeros((2, 3, 6)), offset=-1)
