"""The PyTorch twins take what the references take, by the same names and defaults."""

import inspect

import numpy as np
import pytest
import torch

from bigmodel_edu.layer import Layer
from bigmodel_edu.neural_nets import reference, torch_impl

TWINS = [
    name
    for name, thing in vars(reference).items()
    if callable(thing) and hasattr(torch_impl, name) and thing is not reference.Optimizer
]


def options(function) -> dict:
    """Return the parameters of a function or class with their defaults."""
    parameters = inspect.signature(function).parameters.values()
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {p.name: p.default for p in parameters if p.kind not in variadic}


@pytest.mark.parametrize("name", TWINS)
def test_twins_take_the_same_options(name):
    assert options(getattr(torch_impl, name)) == options(getattr(reference, name))


@pytest.mark.parametrize(
    ("ours", "torchs"),
    [
        (reference.Dropout, torch.nn.Dropout),
        (reference.BatchNorm1d, torch.nn.BatchNorm1d),
        (reference.LayerNorm, torch.nn.LayerNorm),
        (reference.GELU, torch.nn.GELU),
        (reference.CrossEntropy, torch.nn.CrossEntropyLoss),
        (reference.SGD, torch.optim.SGD),
        (reference.Adam, torch.optim.Adam),
        (reference.AdamW, torch.optim.AdamW),
        (reference.StepSchedule, torch.optim.lr_scheduler.StepLR),
    ],
    ids=lambda value: value.__qualname__,
)
def test_defaults_are_those_of_pytorch(ours, torchs):
    own, theirs = options(ours), options(torchs)
    shared = {
        name for name in own.keys() & theirs.keys() if own[name] is not inspect.Parameter.empty
    }
    assert shared
    assert {name: own[name] for name in shared} == {name: theirs[name] for name in shared}


def test_every_layer_loss_and_optimizer_has_a_twin():
    layers = {
        name
        for name, thing in vars(reference).items()
        if inspect.isclass(thing) and issubclass(thing, Layer | reference.Optimizer)
    }
    assert layers - {"Optimizer"} <= set(TWINS)


def test_dropout_without_a_mask_draws_its_own():
    layer, x = torch_impl.Dropout(0.5), torch.ones(1000)
    torch.manual_seed(0)
    y = layer.train()(x)
    np.testing.assert_allclose(np.unique(y.numpy()), [0, 2])
    assert torch.equal(layer.eval()(x), x)
    assert torch.equal(layer.eval()(x, mask=torch.zeros(1000)), x)
