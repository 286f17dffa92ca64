"""RMSNorm, by hand and at its edges."""

import numpy as np
import pytest

from bigmodel_edu.errors import DTypeError, HyperparameterError, ShapeError
from bigmodel_edu.neural_nets.reference import LayerNorm
from bigmodel_edu.transformer.reference import RMSNorm


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_rms_norm_by_hand():
    """The root mean square of (1, 7) is 5."""
    y, _ = RMSNorm(2, eps=0.0).forward({"weight": np.array([1.0, 10.0])}, np.array([[1.0, 7.0]]))
    np.testing.assert_allclose(y, [[0.2, 14.0]], rtol=1e-15)


def test_eps_stands_under_the_root():
    y, _ = RMSNorm(1, eps=3.0).forward({"weight": np.ones(1)}, np.array([[1.0]]))
    assert y == 0.5


def test_rms_norm_of_centred_rows_is_layer_norm():
    x = normal(3, 7)
    x -= x.mean(axis=1, keepdims=True)
    rms, layer = RMSNorm(7, eps=1e-5), LayerNorm(7)
    y, _ = rms.forward({"weight": np.ones(7)}, x)
    expected, _ = layer.forward({"weight": np.ones(7), "bias": np.zeros(7)}, x)
    np.testing.assert_allclose(y, expected, rtol=1e-13)


def test_rms_norm_does_not_see_a_scale_and_its_gradient_lies_across_x():
    layer, x, params = RMSNorm(7, eps=0.0), normal(3, 7), {"weight": normal(7, seed=1)}
    y, cache = layer.forward(params, x)
    np.testing.assert_allclose(layer.forward(params, 100 * x)[0], y, rtol=1e-13)
    (dx,), _ = layer.backward(params, cache, normal(3, 7, seed=2))
    np.testing.assert_allclose((dx * x).sum(axis=1), 0, atol=1e-13)


def test_zeros_stay_zeros():
    layer = RMSNorm(3)
    y, cache = layer.forward({"weight": np.ones(3)}, np.zeros((2, 3)))
    assert not y.any()
    (dx,), _ = layer.backward({"weight": np.ones(3)}, cache, np.ones((2, 3)))
    assert np.isfinite(dx).all()


def test_each_position_is_treated_alone():
    layer, x = RMSNorm(3), normal(2, 4, 3)
    params = layer.init(np.random.default_rng(0))
    y, _ = layer.forward(params, x)
    alone, _ = layer.forward(params, x[1, 2:3])
    np.testing.assert_allclose(y[1, 2:3], alone, rtol=1e-12)


def test_bad_input():
    layer = RMSNorm(3)
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
        (lambda: RMSNorm(0), "normalized_shape is 0"),
        (lambda: RMSNorm(3, eps=-1.0), "eps is -1.0"),
    ],
)
def test_hyperparameters(build, message):
    with pytest.raises(HyperparameterError, match=message):
        build()
