"""The GRU on the GPU."""

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
class GRUCell(FusedCell, reference.GRUCell):
    kernels: ClassVar[Kernels] = load_kernels(Path(__file__).with_suffix(".cu"), cp)

    def step(self, params: Params, a: Array, states: States) -> tuple[States, Cache]:
        (h,) = states
        gates = cp.empty((len(h), 4 * self.hidden_size), a.dtype)  # r, z, n and v
        h_new = cp.empty(h.shape, a.dtype)
        self.launch("gru_forward", (*self.summands(params, a, h), h), (gates, h_new))
        return (h_new,), (gates, h)

    def pointwise_backward(self, kept: Cache, dh_new: Array) -> tuple[Array, Array, Array]:
        gates, h = kept
        expect_shape("dh", dh_new, *h.shape)
        rows = (len(h), self.n_gates * self.hidden_size)
        da, du, dh = (cp.empty(shape, h.dtype) for shape in (rows, rows, h.shape))
        self.launch("gru_backward", (gates, h, dh_new), (da, du, dh))
        return da, du, dh


@dataclass(frozen=True)
class GRU(reference.GRU):
    Cell: ClassVar[type[RecurrentCell]] = GRUCell
