"""What holds for every cell: its size, its first weights, and bad input."""

import numpy as np
import pytest

from bigmodel_edu.errors import DTypeError, HyperparameterError, ShapeError
from bigmodel_edu.lstm import reference
from bigmodel_edu.lstm.reference import Embedding, GRUCell, LSTMCell, RNNCell

CELLS = [RNNCell, LSTMCell, GRUCell]


def test_an_lstm_has_four_gates_and_a_gru_three():
    sizes = [
        sum(w.size for w in kind(7, 3).init(np.random.default_rng(0)).values()) for kind in CELLS
    ]
    assert sizes == [36, 4 * 36, 3 * 36]


@pytest.mark.parametrize("kind", CELLS)
def test_weights_start_below_one_over_the_root_of_the_width(kind):
    params = kind(7, 25).init(np.random.default_rng(0))
    assert all(0.19 < np.abs(w).max() <= 0.2 for w in params.values())


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


@pytest.mark.parametrize("kind", [*CELLS, Embedding, reference.LSTM])
def test_sizes_are_counts(kind):
    with pytest.raises(HyperparameterError, match="is 0, expected a whole number of 1 or more"):
        kind(7, 0)
