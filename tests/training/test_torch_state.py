import numpy as np
import pytest
import torch
from torch import nn

from bigmodel_edu.training.checkpoints import CheckpointError, load, save
from bigmodel_edu.training.torch_state import (
    load_parameters,
    load_torch_training_state,
    parameters_of,
    torch_training_state,
)


def same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.dtype == other[name].dtype
        np.testing.assert_array_equal(value, other[name], err_msg=name)


def refused(says, call, *args, **options):
    with pytest.raises(CheckpointError, match=says) as caught:
        call(*args, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


def network(hidden=7):
    return nn.Sequential(
        nn.Linear(5, hidden), nn.BatchNorm1d(hidden), nn.Dropout(0.5), nn.Linear(hidden, 1)
    )


OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.99)),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01, fused=True),
    "amsgrad": lambda p: torch.optim.Adam(p, amsgrad=True),
}


def train(model, optimizer, steps):
    losses = []
    for _ in range(steps):
        loss = model(torch.randn(11, 5)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_pytorch_goes_on_to_the_same_numbers(tmp_path, kind):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = network()
        optimizer = OPTIMIZERS[kind](model.parameters())
        train(model, optimizer, 3)
        for group in optimizer.param_groups:
            group["lr"] *= 0.5  # as a schedule does
        arrays = torch_training_state(model, optimizer)
        path = save(tmp_path / "a.npz", arrays, step=3, configuration={})
        expected = train(model, optimizer, 4), torch_training_state(model, optimizer)

        torch.manual_seed(1)
        model = network()
        optimizer = OPTIMIZERS[kind](model.parameters())
        load_torch_training_state(load(path).arrays, model, optimizer)
        assert train(model, optimizer, 4) == expected[0]
        same(torch_training_state(model, optimizer), expected[1])


def test_a_saved_state_does_not_change_with_the_model():
    model = network()
    optimizer = OPTIMIZERS["Adam"](model.parameters())
    train(model, optimizer, 1)
    arrays = torch_training_state(model, optimizer)
    before = {name: value.copy() for name, value in arrays.items()}
    train(model, optimizer, 1)
    same(arrays, before)
    load_torch_training_state(arrays, model, optimizer)
    train(model, optimizer, 1)
    same(arrays, before)


def without(arrays, start):
    return {k: v for k, v in arrays.items() if not k.startswith(start)}


def test_pytorch_state_that_does_not_fit_changes_nothing():
    model = network()
    optimizer = OPTIMIZERS["Adam"](model.parameters())
    train(model, optimizer, 1)
    arrays = torch_training_state(model, optimizer)
    other, sgd = network(), OPTIMIZERS["SGD"](model.parameters())
    wide = network(hidden=8)
    adam = OPTIMIZERS["Adam"](other.parameters())
    before = torch_training_state(other, adam)
    swapped = dict(arrays)
    swapped["optimizer.0.0.exp_avg"] = arrays["optimizer.0.1.exp_avg"]
    few = torch.optim.Adam(list(other.parameters())[:2])
    for says, given, module, *optimizers in [
        (r"'0.weight' is float32 of shape \(7, 5\), expected .* \(8, 5\)", arrays, wide),
        ("'3.bias' is missing", without(arrays, "model.3.bias"), other, adam),
        ("'9.bias' is not expected", arrays | {"model.9.bias": np.zeros(1)}, other, adam),
        ("is of Adam with .* expected SGD", arrays, model, sgd),
        (r"with \[6\] parameters in its groups, expected Adam with \[2\]", arrays, other, few),
        ("holds no optimizer, expected one", without(arrays, "optimizer"), other, adam),
        (r"'exp_avg' of parameter 0 has shape \(7,\), expected .* \(7, 5\)", swapped, other, adam),
        ("holds no optimizer number 1", arrays, other, adam, adam),
        ("lacks 'rng.cpu'", without(arrays, "rng"), other, adam),
    ]:
        refused(says, load_torch_training_state, given, module, *optimizers)
    same(torch_training_state(other, adam), before)


def test_a_type_that_numpy_lacks_is_refused():
    says = "'weight' is of type torch.bfloat16, which NumPy does not have"
    refused(says, torch_training_state, nn.Linear(2, 3, dtype=torch.bfloat16))


def test_several_optimizers_each_get_their_own_state_back():
    model = nn.ModuleDict({"one": network(), "two": network()})
    one = OPTIMIZERS["Adam"](model["one"].parameters())
    two = OPTIMIZERS["momentum"](model["two"].parameters())
    train(model["one"], one, 2)
    train(model["two"], two, 3)
    arrays = torch_training_state(model, one, two)
    expected = train(model["one"], one, 2), train(model["two"], two, 2)
    load_torch_training_state(arrays, model, one, two)
    assert (train(model["one"], one, 2), train(model["two"], two, 2)) == expected
    refused("is of Adam .* expected SGD", load_torch_training_state, arrays, model, two, one)
    refused("holds more optimizers than the 1 exp", load_torch_training_state, arrays, model, one)


def test_parameters_are_a_copy_and_go_back():
    model = network()
    before = parameters_of(model)
    assert before.keys() == model.state_dict().keys()
    kept = {name: value.copy() for name, value in before.items()}
    train(model, OPTIMIZERS["SGD"](model.parameters()), 1)
    same(before, kept)
    load_parameters(model, before)
    same(parameters_of(model), kept)
    train(model, OPTIMIZERS["SGD"](model.parameters()), 1)
    same(before, kept)
