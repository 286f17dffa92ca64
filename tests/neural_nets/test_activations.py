"""Activations at points known by hand, far out, and their symmetries."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bigmodel_edu.errors import DTypeError, HyperparameterError, ShapeError
from bigmodel_edu.neural_nets.reference import (
    GELU,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
    log_softmax,
    sigmoid,
    softmax,
)

ELEMENTWISE = [Sigmoid(), Tanh(), ReLU(), GELU(), GELU("tanh")]
rows = arrays(
    np.float64, st.tuples(st.integers(1, 5), st.integers(1, 7)), elements=st.floats(-50, 50)
)
quick = settings(max_examples=50, deadline=None, derandomize=True, database=None)


def outputs(layer, x):
    return layer.forward({}, np.asarray(x, dtype=np.float64))[0]


def slopes(layer, x):
    x = np.asarray(x, dtype=np.float64)
    (dx,), grads = layer.backward({}, layer.forward({}, x)[1], np.ones_like(x))
    assert grads == {}
    return dx


# By hand


def test_softmax_of_logarithms():
    expected = [1 / 6, 1 / 3, 1 / 2]
    np.testing.assert_allclose(softmax(np.log([1.0, 2.0, 3.0])), expected, rtol=1e-15)
    np.testing.assert_allclose(outputs(Softmax(), np.log([[1, 2, 3]])), [expected], rtol=1e-15)


def test_the_neuron_of_the_article():
    assert sigmoid(np.float64(2.5)) == pytest.approx(0.924141819978757, abs=1e-15)


def test_sigmoid():
    np.testing.assert_allclose(outputs(Sigmoid(), [0, np.log(3)]), [0.5, 0.75], rtol=1e-15)
    np.testing.assert_allclose(slopes(Sigmoid(), [0, np.log(3)]), [0.25, 0.1875], rtol=1e-15)


def test_tanh():
    np.testing.assert_allclose(outputs(Tanh(), [0, np.log(2)]), [0, 0.6], rtol=1e-15)
    np.testing.assert_allclose(slopes(Tanh(), [0, np.log(2)]), [1, 0.64], rtol=1e-15)


def test_relu_and_its_corner():
    np.testing.assert_array_equal(outputs(ReLU(), [-2, -0.0, 0, 3]), [0, 0, 0, 3])
    np.testing.assert_array_equal(slopes(ReLU(), [-2, -0.0, 0, 3]), [0, 0, 0, 1])


@pytest.mark.parametrize("layer", [GELU(), GELU("tanh")])
def test_gelu_at_zero(layer):
    assert outputs(layer, [0.0]) == 0
    assert slopes(layer, [0.0]) == pytest.approx(0.5)


def test_gelu_at_one():
    assert outputs(GELU(), [1.0]) == pytest.approx(0.8413447460685429, abs=1e-15)  # Φ(1)
    assert outputs(GELU("tanh"), [1.0]) == pytest.approx(0.8411919906082768, abs=1e-15)


def test_softmax_gradient_by_hand():
    layer = Softmax()
    _, cache = layer.forward({}, np.log([[1.0, 2.0, 3.0]]))
    (dz,), _ = layer.backward({}, cache, np.array([[1.0, 0.0, 0.0]]))
    np.testing.assert_allclose(dz, [[5 / 36, -2 / 36, -3 / 36]], rtol=1e-14)


def test_softmax_with_leading_axes_is_the_same_row_by_row():
    rng, layer = np.random.default_rng(0), Softmax()
    z, dy = rng.normal(size=(2, 3, 2, 5)), rng.normal(size=(2, 3, 2, 5))
    p, cache = layer.forward({}, z)
    (dz,), _ = layer.backward({}, cache, dy)
    rows, row_cache = layer.forward({}, z.reshape(-1, 5))
    (d_rows,), _ = layer.backward({}, row_cache, dy.reshape(-1, 5))
    np.testing.assert_allclose(p, rows.reshape(z.shape), rtol=1e-14)
    np.testing.assert_allclose(dz, d_rows.reshape(z.shape), atol=1e-15)


def test_log_softmax_with_leading_axes():
    z = np.random.default_rng(0).normal(size=(2, 3, 5))
    np.testing.assert_allclose(np.exp(log_softmax(z)), softmax(z), rtol=1e-13)
    np.testing.assert_allclose(softmax(z).sum(axis=-1), 1, rtol=1e-14)


# Far out


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layer", [*ELEMENTWISE, Softmax()], ids=str)
def test_huge_inputs_stay_finite(layer, dtype):
    x = np.array([[1e4, 0.0], [-1e4, 1e4], [-1e4, -1e4]], dtype=dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y, cache = layer.forward({}, x)
        (dx,), _ = layer.backward({}, cache, np.ones_like(x))
    assert np.isfinite(y).all()
    assert np.isfinite(dx).all()
    assert y.dtype == dx.dtype == dtype


def test_huge_logits_give_the_limit():
    np.testing.assert_array_equal(softmax(np.array([[1e4, 0], [-1e4, 1e4]])), [[1, 0], [0, 1]])
    np.testing.assert_array_equal(log_softmax(np.array([1e4, 0, -1e4])), [0, -1e4, -2e4])
    np.testing.assert_array_equal(sigmoid(np.array([-1e4, 1e4])), [0, 1])


# Properties


@quick
@given(rows)
def test_softmax_is_a_distribution(z):
    p = softmax(z)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-14)


@quick
@given(rows, st.floats(-1e3, 1e3))
def test_softmax_does_not_see_a_constant(z, constant):
    np.testing.assert_allclose(softmax(z + constant), softmax(z), atol=1e-11)


@quick
@given(rows)
def test_log_softmax_is_its_logarithm(z):
    np.testing.assert_allclose(np.exp(log_softmax(z)), softmax(z), atol=1e-14)


@quick
@given(rows)
def test_softmax_gradient_has_no_part_along_the_constant(z):
    layer = Softmax()
    _, cache = layer.forward({}, z)
    (dz,), _ = layer.backward({}, cache, np.cos(np.arange(z.size)).reshape(z.shape))
    np.testing.assert_allclose(dz.sum(axis=-1), 0, atol=1e-14)


@quick
@given(rows)
def test_symmetries(x):
    np.testing.assert_allclose(sigmoid(-x), 1 - sigmoid(x), atol=1e-15)
    np.testing.assert_allclose(sigmoid(x), (1 + np.tanh(x / 2)) / 2, atol=1e-15)
    np.testing.assert_allclose(outputs(GELU(), x) - outputs(GELU(), -x), x, atol=1e-13)
    np.testing.assert_array_equal(outputs(ReLU(), x) - outputs(ReLU(), -x), x)


# Bad input


@pytest.mark.parametrize("layer", [*ELEMENTWISE, Softmax()], ids=str)
@pytest.mark.parametrize("x", [np.ones((2, 3), int), [1.0, 2.0], 3.0])
def test_inputs_without_floats(layer, x):
    with pytest.raises(DTypeError, match=r"expected floating-point numbers; convert it first"):
        layer.forward({}, x)


@pytest.mark.parametrize("shape", [(), (0, 3), (3, 0)])
def test_softmax_needs_classes(shape):
    with pytest.raises(ShapeError, match="z "):
        Softmax().forward({}, np.ones(shape))


@pytest.mark.parametrize("approximate", ["erf", "", None, True])
def test_unknown_form_of_gelu(approximate):
    with pytest.raises(HyperparameterError, match=r'approximate is .*expected "none" or "tanh"'):
        GELU(approximate)
