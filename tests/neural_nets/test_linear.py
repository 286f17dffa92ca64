"""The linear layer by hand, and what it refuses."""

import numpy as np
import pytest

from bigmodel_edu.errors import DTypeError, HyperparameterError, ShapeError
from bigmodel_edu.neural_nets.reference import Linear

PARAMS = {"weight": np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), "bias": np.array([0.1, 0, -1])}


def test_by_hand():
    y, _ = Linear(2, 3).forward(PARAMS, np.array([[1.0, -1.0], [0.0, 2.0]]))
    np.testing.assert_allclose(y, [[-0.9, -1, -2], [4.1, 8, 11]], rtol=1e-15)


def test_gradients_by_hand():
    x, dy = np.array([[1.0, -1.0], [0.0, 2.0]]), np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]])
    layer = Linear(2, 3)
    _, cache = layer.forward(PARAMS, x)
    (dx,), grads = layer.backward(PARAMS, cache, dy)
    np.testing.assert_array_equal(dx, [[11, 14], [3, 4]])
    np.testing.assert_array_equal(grads["weight"], [[1, -1], [0, 2], [2, -2]])
    np.testing.assert_array_equal(grads["bias"], [1, 1, 2])


@pytest.mark.parametrize("leading", [(), (2,), (2, 3)])
def test_any_number_of_leading_axes(leading):
    rng = np.random.default_rng(0)
    layer, x, dy = Linear(5, 7), rng.normal(size=(*leading, 5)), rng.normal(size=(*leading, 7))
    params = layer.init(rng)
    y, cache = layer.forward(params, x)
    (dx,), grads = layer.backward(params, cache, dy)
    assert y.shape == (*leading, 7)
    assert dx.shape == x.shape
    expected = sum(np.outer(g, v) for g, v in zip(dy.reshape(-1, 7), x.reshape(-1, 5), strict=True))
    np.testing.assert_allclose(grads["weight"], expected, atol=1e-14)


def test_fresh_parameters():
    params = Linear(400, 300).init(np.random.default_rng(0))
    assert params["weight"].shape == (300, 400)
    np.testing.assert_array_equal(params["bias"], np.zeros(300))
    assert params["weight"].std() == pytest.approx(np.sqrt(2 / 400), rel=0.01)


def test_an_input_of_other_width():
    with pytest.raises(ShapeError, match=r"x has shape \(5, 3\), expected \(\.\.\., 2\); check"):
        Linear(2, 3).forward(PARAMS, np.ones((5, 3)))


def test_an_empty_batch():
    with pytest.raises(ShapeError, match=r"x is empty \(shape \(0, 2\)\)"):
        Linear(2, 3).forward(PARAMS, np.ones((0, 2)))


@pytest.mark.parametrize("x", [np.ones((5, 2), int), [[1.0, 2.0]]])
def test_an_input_without_floats(x):
    with pytest.raises(DTypeError, match="expected floating-point numbers; convert"):
        Linear(2, 3).forward(PARAMS, x)


@pytest.mark.parametrize(
    ("sizes", "name"), [((0, 3), "in_features"), ((2, -1), "out_features"), ((2.0, 3), "in_fea")]
)
def test_sizes_are_counts(sizes, name):
    with pytest.raises(HyperparameterError, match=f"{name}.*expected a whole number"):
        Linear(*sizes)
