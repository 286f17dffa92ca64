"""The cells and the embedding: numbers worked by hand, and bad input."""

import numpy as np
import pytest

from bigmodel_edu.errors import DTypeError, HyperparameterError, ShapeError, TokenError
from bigmodel_edu.lstm import reference
from bigmodel_edu.lstm.reference import Embedding, GRUCell, LSTMCell, RNNCell, scatter_add

CELLS = [RNNCell, LSTMCell, GRUCell]


def logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


def params_of_bias(cell, bias):
    """Return parameters of zeros with `bias` for the gates: what the input is does not matter."""
    params = {name: np.zeros_like(w) for name, w in cell.init(np.random.default_rng(0)).items()}
    return params | {"bias_ih": np.array(bias, dtype=float)}


# Numbers by hand


def test_a_pulse_fades_in_a_tanh_network():
    params = {
        "weight_ih": np.array([[0.5]]),
        "weight_hh": np.array([[0.8]]),
        "bias_ih": np.zeros(1),
        "bias_hh": np.zeros(1),
    }
    h, seen = np.zeros((1, 1)), []
    for x in (1.0, 0.0, 0.0, 0.0):
        h, _ = RNNCell(1, 1).forward(params, np.array([[x]]), h)
        seen.append(h.item())
    np.testing.assert_allclose(seen, [0.462, 0.354, 0.276, 0.217], atol=5e-4)


def test_an_lstm_step_by_hand():
    """i = 3/4, f = 4/5, g = 1/2, o = 1/2 from c = 2: c' = 1.6 + 0.375, h' = tanh(c') / 2."""
    cell = LSTMCell(1, 1)
    params = params_of_bias(cell, [np.log(3), np.log(4), np.arctanh(0.5), 0.0])
    (h, c), _ = cell.forward(params, np.zeros((1, 1)), np.zeros((1, 1)), np.array([[2.0]]))
    assert c.item() == pytest.approx(1.975, rel=1e-12)
    assert h.item() == pytest.approx(0.5 * np.tanh(1.975), rel=1e-12)


def test_a_gru_step_by_hand():
    """z = 3/4 keeps three quarters of h = 2, and n = 1/2 gets the last quarter."""
    cell = GRUCell(1, 1)
    params = params_of_bias(cell, [0.0, logit(0.75), np.arctanh(0.5)])
    h, _ = cell.forward(params, np.zeros((1, 1)), np.array([[2.0]]))
    assert h.item() == pytest.approx(0.75 * 2 + 0.25 * 0.5, rel=1e-12)


@pytest.mark.parametrize(("gate", "kept"), [(50.0, 1.0), (-50.0, 0.0)])
def test_a_forget_gate_keeps_or_clears_the_memory(gate, kept):
    cell = LSTMCell(1, 1)
    params = params_of_bias(cell, [-50.0, gate, 0.0, 0.0])
    (_, c), cache = cell.forward(params, np.zeros((1, 1)), np.zeros((1, 1)), np.array([[3.0]]))
    assert c.item() == pytest.approx(3 * kept)
    nothing, one = np.zeros((1, 1)), np.ones((1, 1))
    (_, _, dc), _ = cell.backward(params, cache, (nothing, one))
    assert dc.item() == pytest.approx(kept)  # along the memory the gradient has the gate's factor


def test_the_reset_gate_hides_the_state_from_the_candidate():
    cell = GRUCell(1, 1)
    params = params_of_bias(cell, [-50.0, -50.0, 0.3])  # r = z = 0
    params["weight_hh"] = np.array([[0.0], [0.0], [5.0]])
    for h in (-2.0, 0.0, 2.0):
        h_new, _ = cell.forward(params, np.zeros((1, 1)), np.array([[h]]))
        assert h_new.item() == pytest.approx(np.tanh(0.3))


def test_an_lstm_has_four_gates_and_a_gru_three():
    sizes = [
        sum(w.size for w in kind(7, 3).init(np.random.default_rng(0)).values()) for kind in CELLS
    ]
    assert sizes == [36, 4 * 36, 3 * 36]


@pytest.mark.parametrize("kind", CELLS)
def test_weights_start_below_one_over_the_root_of_the_width(kind):
    params = kind(7, 25).init(np.random.default_rng(0))
    assert all(0.19 < np.abs(w).max() <= 0.2 for w in params.values())


# Embedding


def test_an_embedding_is_a_linear_layer_on_one_hot_inputs():
    rng = np.random.default_rng(0)
    params, tokens = Embedding(7, 3).init(rng), rng.integers(0, 7, size=(5, 2))
    y, _ = Embedding(7, 3).forward(params, tokens)
    np.testing.assert_array_equal(y, np.eye(7)[tokens] @ params["weight"])


def test_gradients_of_one_token_add_up():
    tokens, rows = np.array([2, 3, 2]), np.array([[1.0], [10.0], [100.0]])
    sums = scatter_add(tokens, rows, np.zeros((4, 1)))
    np.testing.assert_array_equal(sums, [[0], [0], [101], [10]])


@pytest.mark.parametrize("tokens", [[0], [5, 5, 5], [6, 0, 6, 1, 0, 6], list(range(7))])
def test_scatter_add_is_what_add_at_does(tokens):
    rows = np.random.default_rng(0).normal(size=(len(tokens), 3))
    expected = np.zeros((7, 3))
    np.add.at(expected, tokens, rows)
    np.testing.assert_allclose(scatter_add(np.array(tokens), rows, expected), expected)


def test_the_padding_row_is_zero_and_stays_so():
    layer = Embedding(5, 3, padding_idx=1)
    params = layer.init(np.random.default_rng(0))
    assert not params["weight"][1].any()
    assert params["weight"][0].all()
    _, cache = layer.forward(params, np.array([[1, 2], [1, 1]]))
    _, grads = layer.backward(params, cache, np.ones((2, 2, 3)))
    np.testing.assert_array_equal(grads["weight"][:, 0], [0, 0, 1, 0, 0])


# Bad input


@pytest.mark.parametrize("kind", CELLS)
def test_inputs_of_another_size_are_refused(kind):
    cell = kind(7, 3)
    params = cell.init(np.random.default_rng(0))
    with pytest.raises(ShapeError, match=r"x has shape \(5, 6\), expected \(B, 7\)"):
        cell.forward(params, np.ones((5, 6)))
    with pytest.raises(ShapeError, match="x is empty"):
        cell.forward(params, np.ones((0, 7)))
    with pytest.raises(DTypeError, match="x is of type int64, expected floating-point"):
        cell.forward(params, np.ones((5, 7), dtype=np.int64))


@pytest.mark.parametrize("kind", CELLS)
def test_states_of_another_shape_are_refused(kind):
    cell = kind(7, 3)
    params = cell.init(np.random.default_rng(0))
    right = [np.ones((5, 3)) for _ in cell.state_names]
    wrong = [*right[:-1], np.ones((4, 3))]
    name = cell.state_names[-1]
    with pytest.raises(ShapeError, match=rf"{name} has shape \(4, 3\), expected \(5, 3\)"):
        cell.forward(params, np.ones((5, 7)), *wrong)


def test_an_lstm_wants_both_of_its_states():
    cell = LSTMCell(7, 3)
    with pytest.raises(ShapeError, match="was given 1 initial state, expected h, c"):
        cell.forward(cell.init(np.random.default_rng(0)), np.ones((5, 7)), np.ones((5, 3)))


def test_tokens_outside_the_vocabulary_are_refused():
    layer = Embedding(7, 3)
    params = layer.init(np.random.default_rng(0))
    with pytest.raises(TokenError, match=r"tokens\[0, 1\] is 7, expected a token id from 0 to 6"):
        layer.forward(params, np.array([[0, 7]]))
    with pytest.raises(DTypeError, match="expected integer token ids"):
        layer.forward(params, np.ones((2, 3)))


def test_a_padding_outside_the_vocabulary_is_refused():
    with pytest.raises(HyperparameterError, match="padding_idx is 7, expected a token from 0 to 6"):
        Embedding(7, 3, padding_idx=7)


@pytest.mark.parametrize("kind", [*CELLS, Embedding, reference.LSTM])
def test_sizes_are_counts(kind):
    with pytest.raises(HyperparameterError, match="is 0, expected a whole number of 1 or more"):
        kind(7, 0)
