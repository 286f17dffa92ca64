"""The feed-forward layers on the GPU."""

from dataclasses import dataclass
from pathlib import Path

import cupy as cp

from bigmodel_edu.cuda.kernels import blocks_for, load_kernels
from bigmodel_edu.layer import Array, Cache
from bigmodel_edu.neural_nets.cupy_impl import GELU, ReLU

from .. import reference

KERNELS = load_kernels(Path(__file__).with_suffix(".cu"), cp)


@dataclass(frozen=True)
class SwiGLU(reference.SwiGLU):
    """Its cache has no σ: computing it again costs less than storing it."""

    def gated(self, gate: Array, up: Array) -> tuple[Array, Cache]:
        hidden = cp.empty(gate.shape, gate.dtype)
        KERNELS.launch("swiglu_forward", blocks_for(gate.size), (gate, up), (hidden,), gate.size)
        return hidden, (gate, up)

    def gated_backward(self, cache: Cache, d_hidden: Array) -> tuple[Array, Array]:
        gate, up = cache
        d_gate, d_up = cp.empty(gate.shape, gate.dtype), cp.empty(gate.shape, gate.dtype)
        KERNELS.launch(
            "swiglu_backward",
            blocks_for(gate.size),
            (gate, up, d_hidden),
            (d_gate, d_up),
            gate.size,
        )
        return d_gate, d_up


@dataclass(frozen=True)
class FeedForward(reference.FeedForward):
    ReLU = ReLU
    GELU = GELU
