"""The gated recurrent unit: one state, two gates."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bigmodel_edu.layer import Array, Cache, Params
from bigmodel_edu.neural_nets.reference import sigmoid

from .cell import RecurrentCell, States
from .recurrent import RecurrentLayer


@dataclass(frozen=True)
class GRUCell(RecurrentCell):
    """One step of a GRU (Cho et al. 2014, section 2.3, with the reset gate where PyTorch has it).

    a = x W_ihᵀ + b_ih and u = h W_hhᵀ + b_hh, each cut into the three parts r, z, n;
    r = σ(a_r + u_r),  z = σ(a_z + u_z),  n = tanh(a_n + r ⊙ u_n),
    h' = (1 - z) ⊙ n + z ⊙ h.

    Shapes: see `RecurrentCell`, with G = 3. forward(params, x, h) returns h'.
    """

    n_gates: ClassVar[int] = 3

    def step(self, params: Params, a: Array, states: States) -> tuple[States, Cache]:
        (h,) = states
        u = h @ params["weight_hh"].T + params["bias_hh"]
        h_new, kept = self.pointwise(a, u, h)
        return (h_new,), kept

    def step_backward(
        self, params: Params, kept: Cache, d_new: States
    ) -> tuple[Array, Array, States]:
        (dh_new,) = d_new
        da, du, dh = self.pointwise_backward(kept, dh_new)
        return da, du, (dh + du @ params["weight_hh"],)

    def pointwise(self, a: Array, u: Array, h: Array) -> tuple[Array, Cache]:
        """Return h' (B, H) and what the way back needs, from a and u (B, 3 H) and h (B, H)."""
        (a_r, a_z, a_n), (u_r, u_z, u_n) = np.split(a, 3, axis=-1), np.split(u, 3, axis=-1)
        # r = σ(a_r + u_r),  z = σ(a_z + u_z),  n = tanh(a_n + r ⊙ u_n)
        r, z = sigmoid(a_r + u_r), sigmoid(a_z + u_z)
        n = np.tanh(a_n + r * u_n)
        # h' = (1 - z) ⊙ n + z ⊙ h
        return (1 - z) * n + z * h, (r, z, n, u_n, h)

    def pointwise_backward(self, kept: Cache, dh_new: Array) -> tuple[Array, Array, Array]:
        """Return da and du (B, 3 H), and the part of dh (B, H) that comes past the gates."""
        r, z, n, u_n, h = kept
        da_n = dh_new * (1 - z) * (1 - n * n)
        da_r = da_n * u_n * r * (1 - r)
        da_z = dh_new * (h - n) * z * (1 - z)
        da = np.concatenate((da_r, da_z, da_n), axis=-1)
        du = np.concatenate((da_r, da_z, da_n * r), axis=-1)
        return da, du, dh_new * z


@dataclass(frozen=True)
class GRU(RecurrentLayer):
    """Layers of GRU cells over a sequence; see `RecurrentLayer`. States: h_0; returns y, h_n."""

    Cell: ClassVar[type[RecurrentCell]] = GRUCell
