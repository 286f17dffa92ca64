"""The GRU, and what judges it from outside."""

import torch

from bigmodel_edu.components import LayerComponent, torch_module

from .cell import step_inputs
from .recurrent import bench_sequence, sequence_component
from .sizes import HIDDEN, INPUT

GRU_CELL = LayerComponent(
    name="lstm.gru_cell",
    build=lambda m: m.GRUCell(INPUT, HIDDEN),
    inputs=step_inputs("h"),
    derived_sizes=(3 * HIDDEN,),
    oracles={"torch.nn.GRUCell": torch_module(lambda: torch.nn.GRUCell(INPUT, HIDDEN))},
)

GRU = sequence_component("gru", "GRU", with_states=True, bench=bench_sequence("GRU"))

GRU_PADDED = sequence_component("gru_padded", "GRU", both=True, with_lengths=True)

GRU_DEEP = sequence_component(
    "gru_deep", "GRU", layers=2, both=True, with_states=True, with_lengths=True
)
