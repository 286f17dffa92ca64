"""Layer normalisation on the GPU."""

from dataclasses import dataclass
from pathlib import Path

import cupy as cp

from bigmodel_edu.cuda.kernels import COLUMNS_PER_BLOCK, blocks_for, load_kernels, rows_and_columns
from bigmodel_edu.layer import Array, Cache, Gradients, Params, expect_floats, expect_shape

from .. import reference

KERNELS = load_kernels(Path(__file__).with_suffix(".cu"), cp)


@dataclass(frozen=True)
class LayerNorm(reference.LayerNorm):
    def forward(self, params: Params, x: Array) -> tuple[Array, Cache]:
        expect_floats("x", x)
        expect_shape("x", x, "...", self.normalized_shape)
        expect_shape("weight", params["weight"], self.normalized_shape)
        expect_shape("bias", params["bias"], self.normalized_shape)
        rows, columns = rows_and_columns(x)
        y = cp.empty(x.shape, x.dtype)
        means, inverse_stds = cp.empty(rows, x.dtype), cp.empty(rows, x.dtype)
        KERNELS.launch(
            "layer_norm_forward",
            rows,
            (x, params["weight"], params["bias"]),
            (y, means, inverse_stds),
            columns,
            float(self.eps),
        )
        return y, (x, means, inverse_stds)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        x, means, inverse_stds = cache
        weight = params["weight"]
        expect_shape("dy", dy, *x.shape)
        rows, columns = rows_and_columns(x)
        dx = cp.empty(x.shape, x.dtype)
        d_weight, d_bias = cp.empty(columns, x.dtype), cp.empty(columns, x.dtype)
        KERNELS.launch(
            "layer_norm_backward_input",
            rows,
            (dy, x, weight, means, inverse_stds),
            (dx,),
            columns,
        )
        KERNELS.launch(
            "layer_norm_backward_params",
            blocks_for(columns, COLUMNS_PER_BLOCK),
            (dy, x, means, inverse_stds),
            (d_weight, d_bias),
            rows,
            columns,
        )
        return (dx,), {"weight": d_weight, "bias": d_bias}
