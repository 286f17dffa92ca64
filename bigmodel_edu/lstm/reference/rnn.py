"""The recurrent network of Elman: the state is the tanh of a linear layer."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bigmodel_edu.layer import Array, Cache, Params

from .cell import RecurrentCell, States
from .recurrent import RecurrentLayer


@dataclass(frozen=True)
class RNNCell(RecurrentCell):
    """h' = tanh(x W_ihᵀ + b_ih + h W_hhᵀ + b_hh) (Elman 1990).

    Shapes: see `RecurrentCell`, with G = 1. forward(params, x, h) returns h'.
    """

    def step(self, params: Params, a: Array, states: States) -> tuple[States, Cache]:
        (h,) = states
        h_new = self.pointwise(a + (h @ params["weight_hh"].T + params["bias_hh"]))
        return (h_new,), h_new

    def step_backward(
        self, params: Params, kept: Cache, d_new: States
    ) -> tuple[Array, Array, States]:
        (dh_new,) = d_new
        dz = self.pointwise_backward(kept, dh_new)
        return dz, dz, (dz @ params["weight_hh"],)

    def pointwise(self, z: Array) -> Array:
        """Return h' = tanh z."""
        return np.tanh(z)

    def pointwise_backward(self, h_new: Array, dh_new: Array) -> Array:
        """Return dz = dh' ⊙ (1 - h'²)."""
        return dh_new * (1 - h_new * h_new)


@dataclass(frozen=True)
class RNN(RecurrentLayer):
    """Layers of RNN cells over a sequence; see `RecurrentLayer`. States: h_0; returns y, h_n."""

    Cell: ClassVar[type[RecurrentCell]] = RNNCell
