"""The LSTM, and what judges it from outside."""

import numpy as np
import scipy.special
import torch

from bigmodel_edu.components import LayerComponent, Results, Trial, torch_module

from .cell import step_inputs
from .recurrent import bench_sequence, sequence_component
from .sizes import HIDDEN, INPUT


class CellModule(torch.nn.LSTMCell):
    """PyTorch's LSTM cell, with its states as arguments of their own."""

    def forward(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> tuple:
        return super().forward(x, (h, c))


def lstm_by_its_equations(trial: Trial) -> Results:
    """Return one step of an LSTM, gate by gate, from equation (1) of the chapter's LSTM section."""
    x, h, c = trial.inputs.values()
    p = trial.params
    rows = {gate: slice(k * HIDDEN, (k + 1) * HIDDEN) for k, gate in enumerate("ifgo")}

    def pre_activation(gate: str) -> np.ndarray:
        own = rows[gate]
        from_x = np.einsum("bd,hd->bh", x, p["weight_ih"][own]) + p["bias_ih"][own]
        return from_x + np.einsum("bk,hk->bh", h, p["weight_hh"][own]) + p["bias_hh"][own]

    i, f, o = (scipy.special.expit(pre_activation(gate)) for gate in "ifo")
    c_new = f * c + i * np.tanh(pre_activation("g"))
    return {"h": o * np.tanh(c_new), "c": c_new}


LSTM_CELL = LayerComponent(
    name="lstm.lstm_cell",
    build=lambda m: m.LSTMCell(INPUT, HIDDEN),
    inputs=step_inputs("h", "c"),
    outputs=("h", "c"),
    derived_sizes=(4 * HIDDEN,),
    oracles={
        "torch.nn.LSTMCell": torch_module(lambda: CellModule(INPUT, HIDDEN)),
        "equations": lstm_by_its_equations,
    },
)

LSTM = sequence_component("lstm", "LSTM", with_states=True, bench=bench_sequence("LSTM"))

LSTM_PADDED = sequence_component("lstm_padded", "LSTM", both=True, with_lengths=True)

LSTM_DEEP = sequence_component(
    "lstm_deep", "LSTM", layers=2, both=True, with_states=True, with_lengths=True
)
