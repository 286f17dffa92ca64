"""The activations on the GPU."""

from dataclasses import dataclass
from pathlib import Path

import cupy as cp

from bigmodel_edu.cuda.kernels import blocks_for, load_kernels, rows_and_columns
from bigmodel_edu.layer import Array, Cache, Gradients, Params, expect_floats, expect_shape

from .. import reference

KERNELS = load_kernels(Path(__file__).with_suffix(".cu"), cp)


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
