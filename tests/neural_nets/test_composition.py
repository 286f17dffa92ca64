"""Networks built from layers: order, prefixes, modes, and what `mlp` builds."""

import numpy as np
import pytest

from bigmodel_edu.errors import HyperparameterError, ShapeError
from bigmodel_edu.neural_nets import torch_impl
from bigmodel_edu.neural_nets.reference import (
    GELU,
    BatchNorm1d,
    Dropout,
    Linear,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
    mlp,
)

RNG = np.random.default_rng


def test_layers_come_in_order():
    model = Sequential((Linear(2, 3), Tanh(), Linear(3, 1)))
    params = model.init(RNG(0))
    x = RNG(1).normal(size=(5, 2))
    y, _ = model.forward(params, x)
    hidden = np.tanh(x @ params["0.weight"].T + params["0.bias"])
    np.testing.assert_allclose(y, hidden @ params["2.weight"].T + params["2.bias"], rtol=1e-14)


def test_parameters_and_gradients_carry_the_number_of_their_layer():
    model = Sequential((Linear(2, 3), Tanh(), Sequential((Linear(3, 1),))))
    params = model.init(RNG(0))
    assert list(params) == ["0.weight", "0.bias", "2.0.weight", "2.0.bias"]
    _, cache = model.forward(params, np.ones((5, 2)))
    _, grads = model.backward(params, cache, np.ones((5, 1)))
    assert grads.keys() == params.keys()


def test_eleven_layers_keep_their_parameters_apart():
    model = Sequential(tuple(Linear(2, 2) for _ in range(11)))
    params = model.init(RNG(0))
    y, _ = model.forward(params, x := RNG(1).normal(size=(3, 2)))
    for i in range(11):
        x = x @ params[f"{i}.weight"].T + params[f"{i}.bias"]
    np.testing.assert_allclose(y, x, rtol=1e-14)


def test_no_layers_are_the_identity():
    x = RNG(0).normal(size=(5, 2))
    y, cache = Sequential(()).forward({}, x)
    np.testing.assert_array_equal(y, x)
    (dx,), grads = Sequential(()).backward({}, cache, 2 * x)
    np.testing.assert_array_equal(dx, 2 * x)
    assert grads == {}


def test_training_and_rng_reach_the_layers_that_take_them():
    model = Sequential((Linear(3, 50), Sequential((BatchNorm1d(50), Dropout(0.5))), ReLU()))
    params, x = model.init(RNG(0)), RNG(1).normal(size=(7, 3))
    calm, cache = model.forward(params, x)
    assert model.updated_buffers(params, cache) == {}
    wild, cache = model.forward(params, x, training=True, rng=RNG(2))
    assert (wild != calm).any()
    assert model.updated_buffers(params, cache).keys() == {
        "1.0.running_mean",
        "1.0.running_var",
        "1.0.num_batches_tracked",
    }
    np.testing.assert_array_equal(model.forward(params, x, training=True, rng=RNG(2))[0], wild)


def test_mlp_of_two_sizes_is_one_linear_layer():
    assert mlp((7, 3)) == Sequential((Linear(7, 3),))


@pytest.mark.parametrize(
    ("name", "activation"),
    [("relu", ReLU()), ("tanh", Tanh()), ("sigmoid", Sigmoid()), ("gelu", GELU())],
)
def test_mlp_with_every_activation(name, activation):
    expected = (Linear(7, 5), activation, Linear(5, 3), activation, Linear(3, 2))
    assert mlp((7, 5, 3, 2), activation=name) == Sequential(expected)


def test_mlp_with_batch_norm_and_dropout():
    expected = (Linear(7, 5), BatchNorm1d(5), ReLU(), Dropout(0.1), Linear(5, 2))
    assert mlp((7, 5, 2), batch_norm=True, dropout=0.1) == Sequential(expected)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu"])
def test_mlp_has_the_layers_of_its_twin(activation, batch_norm, dropout):
    options = {"activation": activation, "batch_norm": batch_norm, "dropout": dropout}
    ours, twin = mlp((7, 5, 3, 2), **options), torch_impl.mlp((7, 5, 3, 2), **options)
    assert [type(a).__name__ for a in ours.layers] == [type(b).__name__ for b in twin]
    assert list(twin.state_dict()) == list(ours.init(RNG(0)))


# Bad input


@pytest.mark.parametrize("sizes", [(), (7,)])
def test_mlp_needs_inputs_and_outputs(sizes):
    with pytest.raises(HyperparameterError, match="expected at least the number of inputs and of"):
        mlp(sizes)


def test_mlp_with_an_unknown_activation():
    with pytest.raises(
        HyperparameterError, match="activation is 'rleu', expected one of relu, tanh"
    ):
        mlp((7, 5, 3), activation="rleu")


@pytest.mark.parametrize("options", [{"dropout": 1.0}, {"dropout": -0.1}])
def test_mlp_with_an_impossible_dropout(options):
    with pytest.raises(HyperparameterError, match="p is"):
        mlp((7, 5, 3), **options)


def test_mlp_with_an_impossible_size():
    with pytest.raises(HyperparameterError, match="out_features is 0"):
        mlp((7, 0, 3))


def test_layers_that_do_not_fit():
    model = Sequential((Linear(2, 3), Softmax(), Linear(4, 1)))
    with pytest.raises(ShapeError, match=r"x has shape \(5, 3\), expected \(\.\.\., 4\)"):
        model.forward(model.init(RNG(0)), np.ones((5, 2)))
