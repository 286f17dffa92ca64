"""The simple recurrent network on the GPU."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cupy as cp

from bigmodel_edu.cuda.kernels import Kernels, load_kernels
from bigmodel_edu.layer import Array, Cache, Params
from bigmodel_edu.neural_nets.cupy_impl import elementwise

from .. import reference
from ..reference.cell import RecurrentCell, States
from .cell import FusedCell


@dataclass(frozen=True)
class RNNCell(FusedCell, reference.RNNCell):
    kernels: ClassVar[Kernels] = load_kernels(Path(__file__).with_suffix(".cu"), cp)

    def step(self, params: Params, a: Array, states: States) -> tuple[States, Cache]:
        (h,) = states
        h_new = cp.empty(h.shape, a.dtype)
        self.launch("rnn_forward", self.summands(params, a, h), (h_new,))
        return (h_new,), h_new

    def pointwise_backward(self, h_new: Array, dh_new: Array) -> Array:
        return elementwise("tanh_backward", h_new, dh_new)


@dataclass(frozen=True)
class RNN(reference.RNN):
    Cell: ClassVar[type[RecurrentCell]] = RNNCell
