"""The LSTM: a memory that is added to, and gates that decide what."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bigmodel_edu.layer import Array, Cache, Params
from bigmodel_edu.neural_nets.reference import sigmoid

from .cell import RecurrentCell, States
from .recurrent import RecurrentLayer


@dataclass(frozen=True)
class LSTMCell(RecurrentCell):
    """One step of an LSTM (Hochreiter and Schmidhuber 1997, with the forget gate of Gers 2000).

    z = x W_ihᵀ + b_ih + h W_hhᵀ + b_hh, cut into the four parts i, f, g, o, PyTorch's order;
    i, f, o = σ(z_i), σ(z_f), σ(z_o),  g = tanh z_g,
    c' = f ⊙ c + i ⊙ g,  h' = o ⊙ tanh c'.

    Shapes: see `RecurrentCell`, with G = 4. forward(params, x, h, c) returns h', c'.
    """

    n_gates: ClassVar[int] = 4
    state_names: ClassVar[tuple[str, ...]] = ("h", "c")

    def step(self, params: Params, a: Array, states: States) -> tuple[States, Cache]:
        h, c = states
        # z = x W_ihᵀ + b_ih + h W_hhᵀ + b_hh, of which `a` has the first half
        z = a + h @ params["weight_hh"].T + params["bias_hh"]
        return self.pointwise(z, c)

    def step_backward(
        self, params: Params, kept: Cache, d_new: States
    ) -> tuple[Array, Array, States]:
        dz, dc = self.pointwise_backward(kept, *d_new)
        return dz, dz, (dz @ params["weight_hh"], dc)

    def pointwise(self, z: Array, c: Array) -> tuple[States, Cache]:
        """Return (h', c') and the gates with both memories, from z (B, 4 H) and c (B, H)."""
        # i, f, o = σ(z_i), σ(z_f), σ(z_o),  g = tanh z_g
        i, f, g, o = np.split(z, 4, axis=-1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        # c' = f ⊙ c + i ⊙ g,  h' = o ⊙ tanh c'
        c_new = f * c + i * g
        shown = np.tanh(c_new)
        return (o * shown, c_new), (i, f, g, o, c, shown)

    def pointwise_backward(self, kept: Cache, dh_new: Array, dc_new: Array) -> tuple[Array, Array]:
        """Return dz (B, 4 H) and dc (B, H): the memory collects from h' and from the next step."""
        i, f, g, o, c, shown = kept
        # h' = o ⊙ tanh c':  dc' grows by dh' ⊙ o ⊙ (1 - tanh² c')
        dc_all = dc_new + dh_new * o * (1 - shown * shown)
        # σ' = σ (1 - σ),  tanh' = 1 - tanh²
        dz = (
            dc_all * g * i * (1 - i),  # dz_i = dc' ⊙ g ⊙ i (1 - i)
            dc_all * c * f * (1 - f),  # dz_f = dc' ⊙ c ⊙ f (1 - f)
            dc_all * i * (1 - g * g),  # dz_g = dc' ⊙ i ⊙ (1 - g²)
            dh_new * shown * o * (1 - o),  # dz_o = dh' ⊙ tanh c' ⊙ o (1 - o)
        )
        # c' = f ⊙ c + i ⊙ g:  dc = dc' ⊙ f
        return np.concatenate(dz, axis=-1), dc_all * f


@dataclass(frozen=True)
class LSTM(RecurrentLayer):
    """Layers of LSTM cells over a sequence; see `RecurrentLayer`.

    States: h_0, c_0; returns y, h_n, c_n.
    """

    Cell: ClassVar[type[RecurrentCell]] = LSTMCell
