"""The encoder-decoder: masks, steps, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from bigmodel_edu import catalogue, parity
from bigmodel_edu.errors import (
    DTypeError,
    HyperparameterError,
    LengthError,
    ShapeError,
    TokenError,
)
from bigmodel_edu.neural_nets.reference import Adam, CrossEntropy, log_softmax
from bigmodel_edu.transformer.reference import Transformer, beam_search, greedy_decode

SOURCE = np.array([[3, 4, 5, 6, 7], [8, 9, 2, 0, 0]])
TARGET = np.array([[1, 5, 6, 2], [1, 7, 3, 3]])
KINDS = [
    {},
    {"norm_first": True, "activation": "gelu"},
    {"positions": "learned", "max_length": 9},
]


def model_and_params(**options):
    model = Transformer(11, 13, 12, 3, 2, 17, **options)
    return model, model.init(np.random.default_rng(0))


# What it computes


@pytest.mark.parametrize("options", KINDS)
def test_a_later_target_token_changes_nothing_before_it(options):
    model, params = model_and_params(**options)
    logits, _ = model.forward(params, SOURCE, TARGET)
    later = TARGET.copy()
    later[:, 2:] = 9
    changed, _ = model.forward(params, SOURCE, later)
    np.testing.assert_array_equal(changed[:, :2], logits[:, :2])
    assert np.abs(changed[:, 2:] - logits[:, 2:]).max() > 1e-3


@pytest.mark.parametrize("options", KINDS)
def test_padding_of_the_source_changes_nothing(options):
    model, params = model_and_params(**options)
    logits, _ = model.forward(params, SOURCE, TARGET)
    alone, _ = model.forward(params, SOURCE[1:, :3], TARGET[1:])
    np.testing.assert_allclose(logits[1:], alone, rtol=1e-11, atol=1e-13)


def test_the_order_of_the_source_matters():
    model, params = model_and_params()
    logits, _ = model.forward(params, SOURCE[:1], TARGET[:1])
    other, _ = model.forward(params, SOURCE[:1, ::-1], TARGET[:1])
    assert np.abs(other - logits).max() > 1e-3


def test_fresh_logits_are_of_the_size_of_one():
    """A normed vector of D features times rows of variance 1/D."""
    model, params = model_and_params(norm_first=True)
    logits, _ = model.forward(params, SOURCE, TARGET)
    assert 0.5 < logits.std() < 2


def test_dropout_acts_on_the_embeddings_too():
    shapes = []

    class Recording:
        def random(self, shape, dtype):
            shapes.append(shape)
            return np.ones(shape, dtype)

    model, params = model_and_params(dropout=0.1)
    model.forward(params, SOURCE, TARGET, training=True, rng=Recording())
    assert shapes == [(2, 5, 12)] * (1 + 2 * 2) + [(2, 4, 12)] * (1 + 2 * 3)


def test_gradients_under_dropout():
    component = replace(
        catalogue.component("transformer.transformer"),
        build=lambda m: m.Transformer(23, 29, 12, 3, 1, 17, dropout=0.2),
        mode=lambda inputs: {"training": True, "rng": np.random.default_rng(4)},
    )
    parity.finite_differences(component, component.draw(np.random.default_rng(0), batch=2))


def test_it_learns_to_copy():
    """A few steps of Adam halve the loss of copying three tokens."""
    model, params = model_and_params(norm_first=True)
    rng, adam, loss = np.random.default_rng(1), Adam(lr=1e-2), CrossEntropy()
    state, losses = adam.init(params), []
    for _ in range(60):
        source = rng.integers(3, 11, size=(16, 3))
        target = np.concatenate([np.ones((16, 1), int), source], axis=1)
        logits, cache = model.forward(params, source, target[:, :-1])
        value, loss_cache = loss.forward({}, logits.reshape(-1, 13), target[:, 1:].ravel())
        (d_logits, _), _ = loss.backward({}, loss_cache, np.float64(1))
        _, grads = model.backward(params, cache, d_logits.reshape(logits.shape))
        params, state = adam.update(params, grads, state)
        losses.append(value)
    assert losses[-1] < losses[0] / 2


# Step by step


@pytest.mark.parametrize("options", KINDS)
def test_steps_give_the_numbers_of_the_whole(options):
    model, params = model_and_params(**options)
    logits, _ = model.forward(params, SOURCE, TARGET)
    state = model.start(params, SOURCE)
    for t in range(TARGET.shape[1]):
        assert state.length == t
        step = model.step(params, TARGET[:, t], state)
        np.testing.assert_allclose(step, logits[:, t], rtol=1e-12, atol=1e-13)


def test_greedy_search_finds_the_same_tokens_with_the_cache():
    model, params = model_and_params()
    memory, _ = model.encode(params, SOURCE)
    mask, state = model.source_mask(SOURCE), model.start(params, SOURCE)

    def uncached(prefixes):
        return log_softmax(model.decode(params, prefixes, memory, mask)[0][:, -1])

    def cached(prefixes):
        return log_softmax(model.step(params, prefixes[:, -1], state))

    options = {"start": 1, "end": 2, "max_length": 8, "batch": 2}
    np.testing.assert_array_equal(
        greedy_decode(uncached, **options), greedy_decode(cached, **options)
    )


def test_selected_rows_go_on_as_if_they_had_been_alone():
    model, params = model_and_params()
    state = model.start(params, SOURCE)
    model.step(params, TARGET[:, 0], state)
    chosen = state.select(np.array([1, 1, 0]))
    step = model.step(params, TARGET[[1, 1, 0], 1], chosen)
    np.testing.assert_allclose(step, model.step(params, TARGET[:, 1], state)[[1, 1, 0]], rtol=1e-12)


def test_beam_search_of_one_is_greedy_search():
    model, params = model_and_params()

    def next_log_probabilities(prefixes):
        source = np.repeat(SOURCE[:1], len(prefixes), axis=0)
        return log_softmax(model.forward(params, source, prefixes)[0][:, -1])

    options = {"start": 1, "end": 2, "max_length": 6}
    (found,) = beam_search(next_log_probabilities, beam=1, **options)
    greedy = greedy_decode(next_log_probabilities, **options)
    assert list(found.tokens) == greedy[0].tolist()


# Bad input


@pytest.mark.parametrize(
    ("source", "target", "error", "message"),
    [
        (SOURCE[:, :0], TARGET, ShapeError, "source is empty"),
        (SOURCE, TARGET[:, :0], ShapeError, "target is empty"),
        (SOURCE + 4, TARGET, TokenError, r"source\[0, 4\] is 11, expected a token id from 0 to 10"),
        (SOURCE, TARGET - 2, TokenError, r"target\[0, 0\] is -1, expected a token id"),
        (SOURCE * 1.0, TARGET, DTypeError, "source is of type float64, expected integer token ids"),
        (SOURCE[0], TARGET, ShapeError, r"source has shape \(5,\)"),
        (SOURCE * [[1], [0]], TARGET, LengthError, r"source\[1\] is all padding \(token 0\)"),
        (SOURCE, TARGET[:1], ShapeError, r"memory has shape \(2, 5, 12\)"),
        (np.ones((2, 10), int), TARGET, LengthError, "reaches position 10, expected at most 9"),
        (SOURCE, np.ones((2, 10), int), LengthError, "reaches position 10, expected at most 9"),
    ],
)
@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_tokens(source, target, error, message, positions):
    model, params = model_and_params(max_length=9, positions=positions)
    with pytest.raises(error, match=message):
        model.forward(params, source, target)


def test_steps_beyond_the_positions_or_the_batch():
    model, params = model_and_params(max_length=5)
    state = model.start(params, SOURCE)
    with pytest.raises(ShapeError, match="new keys are of 3 sequences and the cache is of 2"):
        model.step(params, np.ones(3, int), state)
    for _ in range(5):
        model.step(params, np.ones(2, int), state)
    with pytest.raises(LengthError, match="reaches position 6, expected at most 5"):
        model.step(params, np.ones(2, int), state)
    short = model.start(params, SOURCE, max_length=1)
    model.step(params, np.ones(2, int), short)
    with pytest.raises(LengthError, match="cache would hold 2 tokens, expected at most 1"):
        model.step(params, np.ones(2, int), short)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_heads": 5}, "is 12 and num_heads is 5"),
        ({"d_model": 9}, "d_model is 9, expected an even number"),
        ({"num_layers": 0}, "num_layers is 0"),
        ({"source_vocabulary": 0}, "source_vocabulary is 0"),
        ({"target_vocabulary": 0}, "target_vocabulary is 0"),
        ({"max_length": 0}, "max_length is 0"),
        ({"positions": "relative"}, "positions is 'relative', expected"),
        ({"dropout": 1.0}, r"p is 1\.0"),
    ],
)
def test_hyperparameters(options, message):
    sizes = {
        "source_vocabulary": 11,
        "target_vocabulary": 13,
        "d_model": 12,
        "num_heads": 3,
        "num_layers": 2,
        "d_ff": 17,
    }
    with pytest.raises(HyperparameterError, match=message):
        Transformer(**(sizes | options))
