"""The feed-forward layers, by hand and at their edges."""

import numpy as np
import pytest

from bigmodel_edu.errors import DTypeError, HyperparameterError, ShapeError
from bigmodel_edu.transformer.reference import FeedForward, SwiGLU


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_feed_forward_by_hand():
    params = {
        "linear1.weight": np.array([[1.0], [-1.0]]),
        "linear1.bias": np.array([0.0, 1.0]),
        "linear2.weight": np.array([[1.0, 10.0]]),
        "linear2.bias": np.array([100.0]),
    }
    y, _ = FeedForward(1, 2).forward(params, np.array([[[2.0], [-3.0]]]))
    np.testing.assert_array_equal(y, [[[102], [140]]])  # 2 + 0 + 100; 0 + 10 · 4 + 100


def test_swiglu_by_hand():
    """silu(ln 3) = ln 3 · 3/4."""
    params = {
        "gate_proj.weight": np.array([[np.log(3)]]),
        "up_proj.weight": np.array([[8.0]]),
        "down_proj.weight": np.array([[0.5]]),
    }
    y, _ = SwiGLU(1, 1).forward(params, np.array([[1.0]]))
    np.testing.assert_allclose(y, [[3 * np.log(3)]], rtol=1e-15)


@pytest.mark.parametrize("layer", [FeedForward(3, 5, "gelu"), SwiGLU(3, 5)])
def test_each_position_is_treated_alone(layer):
    params, x = layer.init(np.random.default_rng(0)), normal(2, 4, 3)
    y, _ = layer.forward(params, x)
    alone, _ = layer.forward(params, x[1, 2:3])
    np.testing.assert_allclose(y[1, 2:3], alone, rtol=1e-12)


@pytest.mark.parametrize("layer", [FeedForward(3, 5), SwiGLU(3, 5)])
def test_bad_input(layer):
    params = layer.init(np.random.default_rng(0))
    with pytest.raises(ShapeError, match=r"x has shape \(2, 4\), expected \(..., 3\)"):
        layer.forward(params, np.ones((2, 4)))
    with pytest.raises(ShapeError, match="x is empty"):
        layer.forward(params, np.ones((2, 0, 3)))
    with pytest.raises(DTypeError, match="x is of type int64"):
        layer.forward(params, np.ones((2, 3), int))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: FeedForward(0, 5), "d_model is 0"),
        (lambda: FeedForward(3, 0), "d_ff is 0"),
        (lambda: FeedForward(3, 5, "selu"), "activation is 'selu', expected"),
        (lambda: SwiGLU(0, 5), "d_model is 0"),
        (lambda: SwiGLU(3, 0), "d_ff is 0"),
    ],
)
def test_hyperparameters(build, message):
    with pytest.raises(HyperparameterError, match=message):
        build()
