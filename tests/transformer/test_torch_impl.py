"""What the comparisons do not see of the PyTorch twins: training, and combinations of masks."""

import inspect

import numpy as np
import pytest
import torch

from bigmodel_edu.layer import Layer
from bigmodel_edu.transformer import reference, torch_impl

LAYERS = [
    name
    for name, thing in vars(reference).items()
    if inspect.isclass(thing) and issubclass(thing, Layer)
]


def options(function) -> dict:
    """Return the parameters of a class or method with their defaults."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def tensors(*arrays):
    return [torch.tensor(array) for array in arrays]


@pytest.mark.parametrize("name", LAYERS)
def test_twins_take_the_same_options(name):
    assert options(getattr(torch_impl, name)) == options(getattr(reference, name))


@pytest.mark.parametrize("name", LAYERS)
def test_twins_take_the_same_inputs(name):
    theirs, ours = (options(getattr(m, name).forward) for m in (torch_impl, reference))
    for mode in ("params", "training", "rng"):
        ours.pop(mode, None)
    assert theirs == ours


@pytest.mark.parametrize("mask", [None, "booleans", "floats"])
@pytest.mark.parametrize("n_queries", [1, 3, 7])
def test_a_causal_mask_on_top_of_another(n_queries, mask):
    q, k, v = normal(2, 6, n_queries, 4), normal(2, 3, 7, 4, seed=1), normal(2, 3, 7, 2, seed=2)
    if mask == "booleans":
        mask = (np.random.default_rng(3).random((n_queries, 7)) < 0.5) | (np.arange(7) == 0)
    elif mask == "floats":
        mask = normal(n_queries, 7, seed=3)
    expected, _ = reference.ScaledDotProductAttention(causal=True).forward({}, q, k, v, mask=mask)
    twin = torch_impl.ScaledDotProductAttention(causal=True)
    y = twin(*tensors(q, k, v), mask=None if mask is None else torch.tensor(mask))
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12, atol=1e-14)


def test_a_mask_of_floats_may_be_longer_than_the_scores():
    q = torch.randn(1, 2, 5, 4)
    mask = torch.zeros(5, 5, dtype=torch.float64)
    y = torch_impl.ScaledDotProductAttention()(q, q, q, mask=mask)
    assert y.dtype == torch.float32


def twins(**options):
    model = reference.Transformer(11, 13, 12, 3, 2, 17, **options)
    twin = torch_impl.Transformer(11, 13, 12, 3, 2, 17, **options).double()
    return model, twin


@pytest.mark.parametrize("norm_first", [False, True])
def test_fresh_parameters_are_drawn_from_the_same_distributions(norm_first):
    torch.manual_seed(0)
    model, twin = twins(norm_first=norm_first)
    params, state = model.init(np.random.default_rng(0)), twin.state_dict()
    assert params.keys() == state.keys()
    for name, value in params.items():
        assert value.std() == pytest.approx(state[name].numpy().std(), rel=0.25, abs=1e-12), name
        assert value.mean() == pytest.approx(state[name].numpy().mean(), abs=0.1), name


def test_dropout_acts_in_training_only():
    _, twin = twins(dropout=0.5)
    source, target = torch.tensor([[3, 4, 5]]), torch.tensor([[1, 6]])
    twin.eval()
    assert torch.equal(twin(source, target), twin(source, target))
    twin.train()
    assert not torch.equal(twin(source, target), twin(source, target))


def test_dropout_stands_on_every_embedding_and_sublayer():
    _, twin = twins(dropout=0.5)
    calls = []
    for module in twin.modules():
        if isinstance(module, torch.nn.Dropout):
            module.register_forward_hook(lambda module, x, y: calls.append(tuple(y.shape)))
    twin(torch.tensor([[3, 4, 5]]), torch.tensor([[1, 6]]))
    assert calls == [(1, 3, 12)] * (1 + 2 * 2) + [(1, 2, 12)] * (1 + 2 * 3)


def test_encode_and_decode_are_the_halves_of_forward():
    _, twin = twins()
    source, target = torch.tensor([[3, 4, 5], [6, 7, 0]]), torch.tensor([[1, 6], [1, 7]])
    memory = twin.encode(source)
    logits = twin.decode(target, memory, twin.source_mask(source))
    torch.testing.assert_close(logits, twin(source, target))


def test_positions_continue_at_an_offset():
    x = torch.randn(2, 7, 6, dtype=torch.float64)
    for twin in (
        torch_impl.SinusoidalPositions(6),
        torch_impl.RotaryPositions(6),
        torch_impl.LearnedPositions(9, 6).double(),
    ):
        torch.testing.assert_close(twin(x[:, 3:], offset=3), twin(x)[:, 3:])
