"""The LSTM on the GPU."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cupy as cp

from bigmodel_edu.cuda.kernels import Kernels, load_kernels
from bigmodel_edu.layer import Array, Cache, Params, expect_shape

from .. import reference
from ..reference.cell import RecurrentCell, States
from .cell import FusedCell


@dataclass(frozen=True)
class LSTMCell(FusedCell, reference.LSTMCell):
    kernels: ClassVar[Kernels] = load_kernels(Path(__file__).with_suffix(".cu"), cp)

    def step(self, params: Params, a: Array, states: States) -> tuple[States, Cache]:
        h, c = states
        gates = cp.empty(a.shape, a.dtype)
        h_new, c_new = cp.empty(h.shape, a.dtype), cp.empty(h.shape, a.dtype)
        inputs = (*self.summands(params, a, h), c)
        self.launch("lstm_forward", inputs, (gates, h_new, c_new))
        return (h_new, c_new), (gates, c, c_new)

    def pointwise_backward(self, kept: Cache, dh_new: Array, dc_new: Array) -> tuple[Array, Array]:
        gates, c, c_new = kept
        expect_shape("dh", dh_new, *c.shape)
        expect_shape("dc", dc_new, *c.shape)
        dz, dc = cp.empty(gates.shape, c.dtype), cp.empty(c.shape, c.dtype)
        self.launch("lstm_backward", (gates, c, c_new, dh_new, dc_new), (dz, dc))
        return dz, dc


@dataclass(frozen=True)
class LSTM(reference.LSTM):
    Cell: ClassVar[type[RecurrentCell]] = LSTMCell
