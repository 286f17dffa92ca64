"""The LSTM: numbers worked by hand, and bad input."""

import numpy as np
import pytest

from bigmodel_edu.errors import ShapeError
from bigmodel_edu.lstm.reference import LSTMCell


def params_of_bias(cell, bias):
    """Return parameters of zeros with `bias` for the gates: what the input is does not matter."""
    params = {name: np.zeros_like(w) for name, w in cell.init(np.random.default_rng(0)).items()}
    return params | {"bias_ih": np.array(bias, dtype=float)}


def test_an_lstm_step_by_hand():
    """i = 3/4, f = 4/5, g = 1/2, o = 1/2 from c = 2: c' = 1.6 + 0.375, h' = tanh(c') / 2."""
    cell = LSTMCell(1, 1)
    params = params_of_bias(cell, [np.log(3), np.log(4), np.arctanh(0.5), 0.0])
    (h, c), _ = cell.forward(params, np.zeros((1, 1)), np.zeros((1, 1)), np.array([[2.0]]))
    assert c.item() == pytest.approx(1.975, rel=1e-12)
    assert h.item() == pytest.approx(0.5 * np.tanh(1.975), rel=1e-12)


@pytest.mark.parametrize(("gate", "kept"), [(50.0, 1.0), (-50.0, 0.0)])
def test_a_forget_gate_keeps_or_clears_the_memory(gate, kept):
    cell = LSTMCell(1, 1)
    params = params_of_bias(cell, [-50.0, gate, 0.0, 0.0])
    (_, c), cache = cell.forward(params, np.zeros((1, 1)), np.zeros((1, 1)), np.array([[3.0]]))
    assert c.item() == pytest.approx(3 * kept)
    nothing, one = np.zeros((1, 1)), np.ones((1, 1))
    (_, _, dc), _ = cell.backward(params, cache, (nothing, one))
    assert dc.item() == pytest.approx(kept)  # along the memory the gradient has the gate's factor


def test_an_lstm_wants_both_of_its_states():
    cell = LSTMCell(7, 3)
    with pytest.raises(ShapeError, match="was given 1 initial state, expected h, c"):
        cell.forward(cell.init(np.random.default_rng(0)), np.ones((5, 7)), np.ones((5, 3)))
