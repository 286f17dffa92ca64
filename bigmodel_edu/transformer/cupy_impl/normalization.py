"""RMSNorm on the GPU."""

from dataclasses import dataclass
from pathlib import Path

import cupy as cp

from bigmodel_edu.cuda.kernels import COLUMNS_PER_BLOCK, blocks_for, load_kernels, rows_and_columns
from bigmodel_edu.layer import Array, Cache, Gradients, Params, expect_floats, expect_shape

from .. import reference

KERNELS = load_kernels(Path(__file__).with_suffix(".cu"), cp)


@dataclass(frozen=True)
class RMSNorm(reference.RMSNorm):
    def forward(self, params: Params, x: Array) -> tuple[Array, Cache]:
        expect_floats("x", x)
        expect_shape("x", x, "...", self.normalized_shape)
        expect_shape("weight", params["weight"], self.normalized_shape)
        rows, columns = rows_and_columns(x)
        y, inverse_rms = cp.empty(x.shape, x.dtype), cp.empty(rows, x.dtype)
        KERNELS.launch(
            "rms_norm_forward",
            rows,
            (x, params["weight"]),
            (y, inverse_rms),
            columns,
            float(self.eps),
        )
        return y, (x, inverse_rms)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        x, inverse_rms = cache
        expect_shape("dy", dy, *x.shape)
        rows, columns = rows_and_columns(x)
        dx, d_weight = cp.empty(x.shape, x.dtype), cp.empty(columns, x.dtype)
        KERNELS.launch(
            "rms_norm_backward_input", rows, (dy, x, params["weight"], inverse_rms), (dx,), columns
        )
        KERNELS.launch(
            "rms_norm_backward_weight",
            blocks_for(columns, COLUMNS_PER_BLOCK),
            (dy, x, inverse_rms),
            (d_weight,),
            rows,
            columns,
        )
        return (dx,), {"weight": d_weight}
