"""Initial weights: their spread, their bounds, and what they are for."""

import numpy as np
import pytest

from bigmodel_edu.errors import HyperparameterError, ShapeError
from bigmodel_edu.neural_nets import reference
from bigmodel_edu.neural_nets.reference import he_normal, he_uniform, xavier_normal, xavier_uniform

SHAPE = (401, 1009)  # (fan_out, fan_in)
VARIANCE = {
    he_normal: 2 / 1009,
    he_uniform: 2 / 1009,
    xavier_normal: 2 / (401 + 1009),
    xavier_uniform: 2 / (401 + 1009),
}


@pytest.mark.parametrize("draw", VARIANCE)
def test_mean_and_variance(draw):
    w = draw(np.random.default_rng(0), SHAPE)
    assert w.shape == SHAPE
    assert w.dtype == np.float64
    assert w.mean() == pytest.approx(0, abs=4 * np.sqrt(VARIANCE[draw] / w.size))
    assert w.var() == pytest.approx(VARIANCE[draw], rel=0.01)


@pytest.mark.parametrize("draw", [he_uniform, xavier_uniform])
def test_uniform_bounds(draw):
    w = draw(np.random.default_rng(0), SHAPE)
    bound = np.sqrt(3 * VARIANCE[draw])
    assert 0.999 * bound < np.abs(w).max() <= bound


@pytest.mark.parametrize("draw", VARIANCE)
def test_the_generator_decides(draw):
    one, same, other = (draw(np.random.default_rng(seed), (3, 5)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert (one != other).all()


def test_he_keeps_the_size_of_a_signal_through_relu():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 500))
    for _ in range(10):
        x = np.maximum(x @ he_normal(rng, (500, 500)).T, 0)
    assert (x**2).mean() == pytest.approx(1, rel=0.5)


@pytest.mark.parametrize("draw", VARIANCE)
@pytest.mark.parametrize("shape", [(5,), (), (2, 3, 5)])
def test_weights_have_two_axes(draw, shape):
    with pytest.raises(ShapeError, match=r"the weight's shape is .*two axes \(fan_out, fan_in\)"):
        draw(np.random.default_rng(0), shape)


@pytest.mark.parametrize("name", ["he_normal", "he_uniform", "xavier_normal", "xavier_uniform"])
@pytest.mark.parametrize(("shape", "fan"), [((3, 0), "fan_in"), ((0, 3), "fan_out")])
def test_fans_are_counts(name, shape, fan):
    with pytest.raises(HyperparameterError, match=f"{fan} is 0, expected a whole number of 1"):
        getattr(reference, name)(np.random.default_rng(0), shape)
