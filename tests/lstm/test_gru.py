"""The GRU, in numbers worked by hand."""

import numpy as np
import pytest

from bigmodel_edu.lstm.reference import GRUCell


def logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


def params_of_bias(cell, bias):
    """Return parameters of zeros with `bias` for the gates: what the input is does not matter."""
    params = {name: np.zeros_like(w) for name, w in cell.init(np.random.default_rng(0)).items()}
    return params | {"bias_ih": np.array(bias, dtype=float)}


def test_a_gru_step_by_hand():
    """z = 3/4 keeps three quarters of h = 2, and n = 1/2 gets the last quarter."""
    cell = GRUCell(1, 1)
    params = params_of_bias(cell, [0.0, logit(0.75), np.arctanh(0.5)])
    h, _ = cell.forward(params, np.zeros((1, 1)), np.array([[2.0]]))
    assert h.item() == pytest.approx(0.75 * 2 + 0.25 * 0.5, rel=1e-12)


def test_the_reset_gate_hides_the_state_from_the_candidate():
    cell = GRUCell(1, 1)
    params = params_of_bias(cell, [-50.0, -50.0, 0.3])  # r = z = 0
    params["weight_hh"] = np.array([[0.0], [0.0], [5.0]])
    for h in (-2.0, 0.0, 2.0):
        h_new, _ = cell.forward(params, np.zeros((1, 1)), np.array([[h]]))
        assert h_new.item() == pytest.approx(np.tanh(0.3))
