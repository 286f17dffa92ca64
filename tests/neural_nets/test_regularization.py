"""Penalties and gradient clipping, by hand and by what they promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bigmodel_edu.errors import DTypeError, HyperparameterError
from bigmodel_edu.neural_nets.reference import L1Penalty, L2Penalty, clip_gradients_by_norm

W = np.array([[3.0, -1.0], [0.0, 2.0]])
quick = settings(max_examples=100, deadline=None, derandomize=True, database=None)
values = st.floats(-1e3, 1e3).filter(lambda v: v == 0 or abs(v) > 1e-6)
gradients = st.fixed_dictionaries(
    {
        "weight": arrays(np.float64, (3, 2), elements=values),
        "bias": arrays(np.float64, 3, elements=values),
    }
)


def joint_norm(grads):
    return np.linalg.norm(np.concatenate([g.ravel() for g in grads.values()]))


@pytest.mark.parametrize(
    ("layer", "penalty", "gradient"),
    [
        (L1Penalty(0.5), 3.0, [[0.5, -0.5], [0, 0.5]]),
        (L2Penalty(0.5), 3.5, [[1.5, -0.5], [0, 1.0]]),
    ],
)
def test_penalties_by_hand(layer, penalty, gradient):
    y, cache = layer.forward({}, W)
    assert y == penalty
    (dw,), grads = layer.backward({}, cache, np.float64(1))
    np.testing.assert_array_equal(dw, gradient)
    assert grads == {}


@pytest.mark.parametrize("penalty", [L1Penalty, L2Penalty])
@pytest.mark.parametrize("strength", [-0.1, np.nan])
def test_a_penalty_is_no_reward(penalty, strength):
    with pytest.raises(
        HyperparameterError, match=f"strength is {strength}, expected a number of 0"
    ):
        penalty(strength)


@pytest.mark.parametrize("penalty", [L1Penalty(0.1), L2Penalty(0.1)])
def test_penalties_of_what_holds_no_floats(penalty):
    with pytest.raises(DTypeError, match="w is of type int64, expected floating-point"):
        penalty.forward({}, np.ones(3, int))


def test_clipping_by_hand():
    grads = {"a": np.array([3.0]), "b": np.array([0.0, 4.0])}
    clipped, norm = clip_gradients_by_norm(grads, 1.0)
    assert norm == 5
    np.testing.assert_allclose(clipped["a"], [0.6], rtol=1e-6)
    np.testing.assert_allclose(clipped["b"], [0, 0.8], rtol=1e-6)


def test_nothing_to_clip():
    assert clip_gradients_by_norm({}, 1.0) == ({}, 0.0)
    clipped, norm = clip_gradients_by_norm({"a": np.zeros(3)}, 1.0)
    assert norm == 0
    np.testing.assert_array_equal(clipped["a"], 0)


@quick
@given(gradients, st.floats(1e-3, 1e3))
def test_clipping_never_raises_the_norm_and_keeps_the_direction(grads, max_norm):
    clipped, norm = clip_gradients_by_norm(grads, max_norm)
    assert norm == pytest.approx(joint_norm(grads), rel=1e-12)
    assert joint_norm(clipped) <= min(norm, max_norm) * (1 + 1e-12)
    factor = joint_norm(clipped) / norm if norm else 1
    for name, grad in grads.items():
        np.testing.assert_allclose(clipped[name], factor * grad, rtol=1e-9, atol=1e-12)


@quick
@given(gradients)
def test_clipping_leaves_small_gradients_alone(grads):
    clipped, _ = clip_gradients_by_norm(grads, 1e6)
    for name, grad in grads.items():
        np.testing.assert_array_equal(clipped[name], grad)


@pytest.mark.parametrize("max_norm", [0, -1.0, np.nan])
def test_the_largest_norm_is_positive(max_norm):
    with pytest.raises(HyperparameterError, match=f"max_norm is {max_norm}, expected a positive"):
        clip_gradients_by_norm({"a": np.ones(3)}, max_norm)
