"""Dropout: what it keeps on average, what it drops, and where its randomness comes from."""

import numpy as np
import pytest

from bigmodel_edu.errors import BookError, DTypeError, HyperparameterError, ShapeError
from bigmodel_edu.neural_nets.reference import Dropout

X = np.random.default_rng(0).normal(1, 1, size=(5, 7))


def test_by_hand():
    mask = np.array([True, False, True])
    y, cache = Dropout(0.75).forward({}, np.array([1.0, 2.0, 3.0]), training=True, mask=mask)
    np.testing.assert_array_equal(y, [4, 0, 12])
    (dx,), grads = Dropout(0.75).backward({}, cache, np.array([1.0, 1.0, -1.0]))
    np.testing.assert_array_equal(dx, [4, 0, -4])
    assert grads == {}


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
def test_the_expectation_is_kept(p):
    x = np.ones((500, 400))
    y, _ = Dropout(p).forward({}, x, training=True, rng=np.random.default_rng(0))
    standard_error = np.sqrt(p / (1 - p) / x.size)
    assert y.mean() == pytest.approx(1, abs=4 * standard_error + 1e-12)
    assert (y == 0).mean() == pytest.approx(p, abs=0.01)


def test_inference_changes_nothing():
    y, cache = Dropout(0.5).forward({}, X)
    np.testing.assert_array_equal(y, X)
    (dx,), _ = Dropout(0.5).backward({}, cache, 2 * X)
    np.testing.assert_array_equal(dx, 2 * X)


def test_the_same_seed_drops_the_same():
    one, same, other = (
        Dropout(0.5).forward({}, X, training=True, rng=np.random.default_rng(seed))[0]
        for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_a_generator_moves_on():
    rng = np.random.default_rng(0)
    first, second = (Dropout(0.5).forward({}, X, training=True, rng=rng)[0] for _ in range(2))
    assert (first != second).any()


@pytest.mark.parametrize("mask_dtype", [bool, np.float64, np.float32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_that_of_x(dtype, mask_dtype):
    mask = np.ones(X.shape, mask_dtype)
    y, cache = Dropout(0.3).forward({}, X.astype(dtype), training=True, mask=mask)
    (dx,), _ = Dropout(0.3).backward({}, cache, X.astype(dtype))
    assert y.dtype == dx.dtype == dtype


def test_a_drawn_mask_has_the_dtype_of_x():
    mask = Dropout(0.5).draw_mask(X.astype(np.float32), np.random.default_rng(0))
    assert mask.dtype == np.float32
    assert set(np.unique(mask)) == {0, 1}


# Bad input


@pytest.mark.parametrize("p", [-0.1, 1, 1.5, np.nan])
def test_p_is_a_share(p):
    with pytest.raises(HyperparameterError, match=f"p is {p}, expected a probability from 0"):
        Dropout(p)


def test_training_needs_randomness():
    with pytest.raises(BookError, match=r"needs randomness: pass rng=np\.random\.default_rng"):
        Dropout(0.5).forward({}, X, training=True)


def test_a_mask_of_another_shape():
    with pytest.raises(ShapeError, match=r"mask has shape \(7,\), expected \(5, 7\)"):
        Dropout(0.5).forward({}, X, training=True, mask=np.ones(7))


@pytest.mark.parametrize("training", [False, True])
def test_inputs_without_floats(training):
    with pytest.raises(DTypeError, match="expected floating-point"):
        Dropout(0.5).forward({}, np.ones(3, int), training=training, rng=np.random.default_rng(0))
