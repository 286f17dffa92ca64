"""What normalisation promises: mean, variance, what it does not see, and what it remembers."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bigmodel_edu.errors import DTypeError, HyperparameterError, ShapeError
from bigmodel_edu.neural_nets.reference import BatchNorm1d, LayerNorm

quick = settings(max_examples=50, deadline=None, derandomize=True, database=None)
rows = arrays(np.float64, (3, 7), elements=st.floats(-10, 10))


def forward(layer, x, **mode):
    return layer.forward(layer.init(np.random.default_rng(0)), x, **mode)


def test_a_batch_comes_out_with_mean_zero_and_variance_one():
    x = np.random.default_rng(0).normal(5, 3, size=(101, 7))
    y, _ = forward(BatchNorm1d(7), x, training=True)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(y.var(axis=0), 1, rtol=1e-5)  # but for ε


def test_an_example_comes_out_with_mean_zero_and_variance_one():
    x = np.random.default_rng(0).normal(5, 3, size=(5, 101))
    y, _ = forward(LayerNorm(101), x)
    np.testing.assert_allclose(y.mean(axis=1), 0, atol=1e-14)
    np.testing.assert_allclose(y.var(axis=1), 1, rtol=1e-5)


def test_layer_norm_by_hand():
    params = {"weight": np.array([1.0, 2.0]), "bias": np.array([0.0, 10.0])}
    y, _ = LayerNorm(2, eps=3.0).forward(params, np.array([[1.0, 3.0]]))  # √(1 + 3) = 2
    np.testing.assert_allclose(y, [[-0.5, 11.0]], rtol=1e-15)


def test_layer_norm_with_leading_axes_is_the_same_row_by_row():
    rng, layer = np.random.default_rng(0), LayerNorm(5)
    x, dy = rng.normal(size=(2, 3, 5)), rng.normal(size=(2, 3, 5))
    params = {"weight": rng.normal(size=5), "bias": rng.normal(size=5)}
    y, cache = layer.forward(params, x)
    (dx,), grads = layer.backward(params, cache, dy)
    rows, row_cache = layer.forward(params, x.reshape(-1, 5))
    (d_rows,), row_grads = layer.backward(params, row_cache, dy.reshape(-1, 5))
    np.testing.assert_allclose(y, rows.reshape(x.shape), rtol=1e-14)
    np.testing.assert_allclose(dx, d_rows.reshape(x.shape), atol=1e-14)
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, row_grads[name], atol=1e-14)


def test_running_statistics_by_hand():
    layer = BatchNorm1d(1, momentum=0.25)
    params = layer.init(np.random.default_rng(0))
    _, cache = layer.forward(params, np.array([[1.0], [3.0]]), training=True)
    new = layer.updated_buffers(params, cache)
    assert new["running_mean"] == 0.25 * 2
    assert new["running_var"] == 0.75 * 1 + 0.25 * 2  # variance 1, times N / (N - 1) = 2
    assert new["num_batches_tracked"] == 1


def test_inference_uses_and_keeps_the_running_statistics():
    layer = BatchNorm1d(2, eps=0.0)
    params = layer.init(np.random.default_rng(0)) | {
        "running_mean": np.array([1.0, 2.0]),
        "running_var": np.array([4.0, 9.0]),
    }
    y, cache = layer.forward(params, np.array([[3.0, 5.0]]))  # one example is enough
    np.testing.assert_allclose(y, [[1, 1]], rtol=1e-15)
    assert layer.updated_buffers(params, cache) == {}


@pytest.mark.parametrize(("momentum", "mean"), [(0, 0.0), (1, 2.0)])
def test_momentum_at_its_ends_keeps_or_replaces(momentum, mean):
    layer = BatchNorm1d(1, momentum=momentum)
    params = layer.init(np.random.default_rng(0))
    _, cache = layer.forward(params, np.array([[1.0], [3.0]]), training=True)
    assert layer.updated_buffers(params, cache)["running_mean"] == mean


def test_new_statistics_merge_into_the_parameters():
    layer = BatchNorm1d(3)
    params = layer.init(np.random.default_rng(0))
    for _ in range(2):
        _, cache = layer.forward(
            params, np.random.default_rng(1).normal(size=(5, 3)), training=True
        )
        params = params | layer.updated_buffers(params, cache)
    assert params.keys() == layer.init(np.random.default_rng(0)).keys()
    assert params["num_batches_tracked"] == 2


def test_the_variance_of_large_numbers_is_not_lost():
    """E[x²] - E[x]² gives NaN here in float32."""
    x = np.random.default_rng(0).normal(9000, 0.5, size=(5, 101)).astype(np.float32)
    y, _ = LayerNorm(101).forward(
        {"weight": np.ones(101, np.float32), "bias": np.zeros(101, np.float32)}, x
    )
    np.testing.assert_allclose(y.var(axis=1), 1, rtol=1e-3)


@pytest.mark.parametrize(
    ("layer", "mode"), [(BatchNorm1d(7), {"training": True}), (LayerNorm(7), {})]
)
def test_a_constant_input_gives_the_bias(layer, mode):
    y, cache = forward(layer, np.full((3, 7), 2.0), **mode)
    np.testing.assert_array_equal(y, 0)
    (dx,), _ = layer.backward(layer.init(np.random.default_rng(0)), cache, np.ones((3, 7)))
    assert np.isfinite(dx).all()


@quick
@given(rows, st.floats(-10, 10))
def test_layer_norm_does_not_see_a_shift(x, shift):
    assume(x.std(axis=1).min() > 1e-2)
    np.testing.assert_allclose(
        forward(LayerNorm(7), x + shift)[0], forward(LayerNorm(7), x)[0], atol=1e-9
    )


@quick
@given(rows, st.floats(0.1, 10))
def test_layer_norm_does_not_see_a_scale_without_eps(x, scale):
    assume(x.std(axis=1).min() > 1e-2)
    layer = LayerNorm(7, eps=0.0)
    np.testing.assert_allclose(forward(layer, scale * x)[0], forward(layer, x)[0], atol=1e-9)


@quick
@given(rows, rows)
def test_gradients_lie_across_the_constant_and_x_hat(x, dy):
    assume(x.std(axis=1).min() > 1e-2)
    layer = LayerNorm(7, eps=0.0)
    y, cache = forward(layer, x)
    (dx,), _ = layer.backward(layer.init(np.random.default_rng(0)), cache, dy)
    scale = 1 + np.abs(dx).max()
    np.testing.assert_allclose(dx.sum(axis=1) / scale, 0, atol=1e-12)
    np.testing.assert_allclose((dx * y).sum(axis=1) / scale, 0, atol=1e-11)


# Bad input


def test_a_batch_of_one_has_no_variance():
    with pytest.raises(
        ShapeError, match=r"x has one example, expected at least two.*training=False"
    ):
        forward(BatchNorm1d(7), np.ones((1, 7)), training=True)


@pytest.mark.parametrize("layer", [BatchNorm1d(7), LayerNorm(7)])
def test_inputs_of_other_width(layer):
    with pytest.raises(ShapeError, match=r"x has shape \(7, 5\), expected \(.*, 7\)"):
        forward(layer, np.ones((7, 5)))


def test_batch_norm_takes_matrices_only():
    with pytest.raises(ShapeError, match=r"x has shape \(2, 3, 7\), expected \(N, 7\)"):
        forward(BatchNorm1d(7), np.ones((2, 3, 7)))


@pytest.mark.parametrize("layer", [BatchNorm1d(7), LayerNorm(7)])
def test_empty_batches(layer):
    with pytest.raises(ShapeError, match="x is empty"):
        forward(layer, np.ones((0, 7)))


@pytest.mark.parametrize("layer", [BatchNorm1d(7), LayerNorm(7)])
def test_inputs_without_floats(layer):
    with pytest.raises(DTypeError, match="x is of type int64, expected floating-point"):
        forward(layer, np.ones((3, 7), int))


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: BatchNorm1d(0), "num_features is 0"),
        (lambda: LayerNorm(0), "normalized_shape is 0"),
        (lambda: BatchNorm1d(7, eps=-1e-5), "eps is -1e-05"),
        (lambda: LayerNorm(7, eps=-1e-5), "eps is -1e-05"),
        (lambda: BatchNorm1d(7, momentum=1.5), "momentum is 1.5, expected a number from 0 to 1"),
        (lambda: BatchNorm1d(7, momentum=-0.1), "momentum is -0.1"),
    ],
)
def test_hyperparameters(build, name):
    with pytest.raises(HyperparameterError, match=name):
        build()
