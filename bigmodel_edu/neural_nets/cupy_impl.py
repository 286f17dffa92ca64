"""Chapter 1 on the GPU: the hot parts by hand, in `kernels.cu`, the rest through CuPy.

Every class takes CuPy arrays and keeps the contract and the checks of the reference. `init` draws
its parameters with NumPy, as the reference does; `cupy.asarray` moves them to the GPU.
"""

from dataclasses import dataclass
from functools import wraps
from pathlib import Path

import cupy as cp

from bigmodel_edu.cuda.kernels import blocks_for, load_kernels
from bigmodel_edu.layer import Array, Cache, Gradients, Params, expect_floats, expect_shape

from . import reference

# These are their own twins. NumPy's functions and operators dispatch to CuPy by themselves, so the
# reference runs on the GPU as it stands: x @ W.T is a call of cuBLAS, a sum a reduction kernel.
# What is not fused goes through memory once per operation; none of these is hot enough to matter.
from .reference import (
    SGD,
    Adam,
    BatchNorm1d,
    BinaryCrossEntropyWithLogits,
    Dropout,
    L1Penalty,
    L2Penalty,
    Linear,
    MeanSquaredError,
    Sequential,
    clip_gradients_by_norm,
)

__all__ = [
    "GELU",
    "SGD",
    "Adam",
    "AdamW",
    "BatchNorm1d",
    "BinaryCrossEntropyWithLogits",
    "CrossEntropy",
    "Dropout",
    "L1Penalty",
    "L2Penalty",
    "LayerNorm",
    "Linear",
    "MeanSquaredError",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "clip_gradients_by_norm",
    "mlp",
]

KERNELS = load_kernels(Path(__file__).with_name("kernels.cu"), cp)
COLUMNS_PER_BLOCK = 32  # WARP in kernels.cu


def elementwise(kernel: str, *inputs: Array) -> Array:
    """Return the kernel's output for inputs of one shape: one thread per element."""
    shape = inputs[0].shape
    for array in inputs[1:]:
        expect_shape("dy", array, *shape)
    out = cp.empty(shape, inputs[0].dtype)
    KERNELS.launch(kernel, blocks_for(out.size), inputs, (out,), out.size)
    return out


@dataclass(frozen=True)
class Sigmoid(reference.Sigmoid):
    def forward(self, params: Params, x: Array) -> tuple[Array, Cache]:
        expect_floats("x", x)
        y = elementwise("sigmoid_forward", x)
        return y, y

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        y = cache
        return (elementwise("sigmoid_backward", y, dy),), {}


@dataclass(frozen=True)
class Tanh(reference.Tanh):
    def forward(self, params: Params, x: Array) -> tuple[Array, Cache]:
        expect_floats("x", x)
        y = elementwise("tanh_forward", x)
        return y, y

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        y = cache
        return (elementwise("tanh_backward", y, dy),), {}


@dataclass(frozen=True)
class ReLU(reference.ReLU):
    def forward(self, params: Params, x: Array) -> tuple[Array, Cache]:
        expect_floats("x", x)
        y = elementwise("relu_forward", x)
        return y, y

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        y = cache
        return (elementwise("relu_backward", y, dy),), {}


@dataclass(frozen=True)
class GELU(reference.GELU):
    """Its cache is x alone: computing Φ again costs less than storing it."""

    def forward(self, params: Params, x: Array) -> tuple[Array, Cache]:
        expect_floats("x", x)
        return elementwise(f"{self._kernel}_forward", x), x

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        x = cache
        return (elementwise(f"{self._kernel}_backward", x, dy),), {}

    @property
    def _kernel(self) -> str:
        return "gelu" if self.approximate == "none" else "gelu_tanh"


@dataclass(frozen=True)
class Softmax(reference.Softmax):
    def forward(self, params: Params, z: Array) -> tuple[Array, Cache]:
        expect_floats("z", z)
        expect_shape("z", z, "...", "C")
        p = cp.empty(z.shape, z.dtype)
        rows, columns = rows_and_columns(z)
        KERNELS.launch("softmax_forward", rows, (z,), (p,), columns)
        return p, p

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        p = cache
        expect_shape("dy", dy, *p.shape)
        dz = cp.empty(p.shape, p.dtype)
        rows, columns = rows_and_columns(p)
        KERNELS.launch("softmax_backward", rows, (p, dy), (dz,), columns)
        return (dz,), {}


@dataclass(frozen=True)
class CrossEntropy(reference.CrossEntropy):
    """Forward computes the gradient as well, while the logits are at hand; it is the cache."""

    def forward(self, params: Params, logits: Array, targets: Array) -> tuple[Array, Cache]:
        n_counted = int(self.counted(logits, targets).sum())
        n, n_classes = logits.shape
        losses = cp.empty(n, logits.dtype)
        d_logits = cp.empty(logits.shape, logits.dtype)
        KERNELS.launch(
            "cross_entropy",
            n,
            (logits, targets),
            (losses, d_logits),
            n_classes,
            float(self.label_smoothing),
            int(self.ignore_index),
            1 / n_counted,
        )
        return losses.sum(), d_logits

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        d_logits = cache
        return (dy * d_logits, None), {}


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


@dataclass(frozen=True)
class AdamW(reference.AdamW):
    """One fused kernel per parameter; like the reference it writes to new arrays."""

    def step(
        self, w: Array, g: Array, slots: tuple[Array, ...], t: int, lr: float
    ) -> tuple[Array, tuple[Array, ...]]:
        (m, v), (beta1, beta2) = slots, self.betas
        updated = tuple(cp.empty(w.shape, w.dtype) for _ in range(3))
        hyperparameters = (
            lr,
            lr * self.weight_decay,
            beta1,
            1 - beta1,
            beta2,
            1 - beta2,
            1 - beta1**t,
            1 - beta2**t,
            self.eps,
        )
        KERNELS.launch(
            "adamw_step",
            blocks_for(w.size),
            (w, g, m, v),
            updated,
            w.size,
            *map(float, hyperparameters),
        )
        w, m, v = updated
        return w, (m, v)


# The activations that the reference's `mlp` may contain, and their twins.
ON_GPU = {
    reference.Sigmoid(): Sigmoid(),
    reference.Tanh(): Tanh(),
    reference.ReLU(): ReLU(),
    reference.GELU(): GELU(),
}


@wraps(reference.mlp)
def mlp(sizes: tuple[int, ...], **options: str | bool | float) -> Sequential:
    layers = reference.mlp(sizes, **options).layers
    return Sequential(tuple(ON_GPU.get(layer, layer) for layer in layers))


def rows_and_columns(x: Array) -> tuple[int, int]:
    """Return the sizes of x (..., C) seen as a matrix: the product of the others, and C."""
    columns = x.shape[-1]
    return x.size // columns, columns
