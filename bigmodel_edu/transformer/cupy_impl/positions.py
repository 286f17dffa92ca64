"""Rotary positions on the GPU."""

from dataclasses import dataclass
from pathlib import Path

import cupy as cp

from bigmodel_edu.cuda.kernels import blocks_for, load_kernels
from bigmodel_edu.layer import (
    Array,
    Cache,
    Params,
    expect_floats,
    expect_not_negative,
    expect_shape,
)

from .. import reference
from ..reference.positions import angles

KERNELS = load_kernels(Path(__file__).with_suffix(".cu"), cp)


@dataclass(frozen=True)
class RotaryPositions(reference.RotaryPositions):
    def forward(self, params: Params, x: Array, *, offset: int = 0) -> tuple[Array, Cache]:
        expect_floats("x", x)
        expect_shape("x", x, "...", "T", self.head_dim)
        expect_not_negative("offset", offset)
        return self.turn(x, offset, 1), offset

    def turn(self, x: Array, offset: int, direction: int) -> Array:
        length, half = x.shape[-2], self.head_dim // 2
        angle = angles(length, self.head_dim, self.base, offset, x)
        cosines, sines = cp.cos(angle).astype(x.dtype), cp.sin(angle).astype(x.dtype)
        y = cp.empty(x.shape, x.dtype)
        pairs = x.size // 2
        KERNELS.launch(
            "rotary",
            blocks_for(pairs),
            (x, cosines, sines),
            (y,),
            pairs,
            length,
            half,
            float(direction),
        )
        return y
