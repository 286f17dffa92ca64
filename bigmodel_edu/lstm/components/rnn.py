"""The simple recurrent network, and what judges it from outside."""

import torch

from bigmodel_edu.components import LayerComponent, torch_module

from .cell import step_inputs
from .recurrent import bench_sequence, sequence_component
from .sizes import HIDDEN, INPUT

RNN_CELL = LayerComponent(
    name="lstm.rnn_cell",
    build=lambda m: m.RNNCell(INPUT, HIDDEN),
    inputs=step_inputs("h"),
    derived_sizes=(HIDDEN,),  # weight_hh is square
    oracles={"torch.nn.RNNCell": torch_module(lambda: torch.nn.RNNCell(INPUT, HIDDEN))},
)

RNN = sequence_component("rnn", "RNN", with_states=True, bench=bench_sequence("RNN"))

RNN_PADDED = sequence_component("rnn_padded", "RNN", both=True, with_lengths=True)

RNN_DEEP = sequence_component("rnn_deep", "RNN", layers=2, both=True, with_states=True)
