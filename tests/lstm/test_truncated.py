"""Truncated backpropagation through time."""

import numpy as np
import pytest

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.lstm.reference import LanguageModel, truncated_bptt, window_gradients

WRITER = LanguageModel(13, 7, 3)


def text(n_steps, batch=3, seed=0):
    tokens = np.random.default_rng(seed).integers(0, 13, size=(batch, n_steps + 1))
    return tokens[:, :-1], tokens[:, 1:]


def test_a_window_as_long_as_the_text_is_backpropagation_through_time():
    params = WRITER.init(np.random.default_rng(0))
    tokens, targets = text(11)
    loss, grads, states = truncated_bptt(WRITER, params, tokens, targets, window=11)
    whole, full, finals = window_gradients(WRITER, params, tokens, targets)
    assert loss == pytest.approx(whole)
    for name, grad in full.items():
        np.testing.assert_allclose(grads[name], grad, err_msg=name)
    np.testing.assert_allclose(states, finals)


@pytest.mark.parametrize("window", [1, 4, 5, 100])
def test_truncation_changes_gradients_but_neither_loss_nor_states(window):
    params = WRITER.init(np.random.default_rng(0))
    tokens, targets = text(11)
    loss, grads, states = truncated_bptt(WRITER, params, tokens, targets, window)
    whole, full, finals = window_gradients(WRITER, params, tokens, targets)
    assert loss == pytest.approx(whole)
    np.testing.assert_allclose(states, finals, rtol=0, atol=1e-15)
    differs = np.abs(grads["lstm.weight_hh_l0"] - full["lstm.weight_hh_l0"]).max() > 1e-6
    assert differs == (window < 11)


@pytest.mark.parametrize("window", [0, -1, 2.5])
def test_a_window_has_a_step_or_more(window):
    params = WRITER.init(np.random.default_rng(0))
    with pytest.raises(HyperparameterError, match="window is"):
        truncated_bptt(WRITER, params, *text(5), window)
