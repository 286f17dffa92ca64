"""Loading a chapter's .cu files into CuPy, and launching its kernels.

CuPy hands the arguments of a raw kernel to the GPU as bytes, unseen: an array of another dtype or
layout, or a Python float where the kernel wants a 32-bit one, gives garbage, not an error. So
`Kernels.launch` is the one place where arguments are brought into the form the kernel expects.

CuPy itself comes in as an argument, so that `on_cpu` can put something else in its place.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from bigmodel_edu.errors import BookError, DTypeError
from bigmodel_edu.layer import Array

# Threads per block, in every launch and, by the option -DTHREADS, in every kernel: enough to hide
# the time a warp waits for memory, few enough that a row of a hundred elements keeps them busy.
THREADS = 128
COLUMNS_PER_BLOCK = 32  # of a kernel whose warps share the rows of a matrix: WARP in common.cuh

INCLUDE = re.compile(r'#include "(?P<file>\w+\.cuh)"')
REALS = {"float32": "float", "float64": "double"}  # NumPy's name of the dtype: C's


class KernelError(BookError):
    """A kernel cannot be compiled or launched."""


def compiler_options(real: str) -> tuple[str, ...]:
    """Return the options that compile a .cu file with `real` = "float" or "double"."""
    return ("-std=c++17", f"-DREAL={real}", f"-DTHREADS={THREADS}")


def blocks_for(n: int, per_block: int = THREADS) -> int:
    """Return how many blocks cover n elements, ⌈n / per_block⌉."""
    return -(-n // per_block)


def rows_and_columns(x: Array) -> tuple[int, int]:
    """Return the sizes of x (..., C) seen as a matrix: the product of the others, and C."""
    columns = x.shape[-1]
    return x.size // columns, columns


def kernel_source(path: Path) -> str:
    """Return the source of a .cu file, with each file that it includes put in.

    What it includes lies beside it or in this folder. One text serves NVRTC, CuPy and the CPU's
    compiler, none of which then has to be told where `common.cuh` is. Line numbers in a compiler's
    messages remain those of `path`.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if match := INCLUDE.fullmatch(line):
            header = _header(match["file"], path).read_text(encoding="utf-8")
            lines[number] = f'{header}#line {number + 2} "{path.name}"'
    return "\n".join(lines) + "\n"


def _header(file: str, path: Path) -> Path:
    """Return the header that the kernels in `path` include by this name."""
    for folder in (path.parent, Path(__file__).parent):
        if (folder / file).exists():
            return folder / file
    raise KernelError(
        f"{path.name} includes {file}, which is neither beside it nor in {Path(__file__).parent}."
    )


def load_kernels(path: Path, cp: ModuleType) -> "Kernels":
    """Return the kernels of the file `path`, not compiled yet; `cp` is the module CuPy."""
    return Kernels(path, cp)


class Kernels:
    """The kernels of one file, compiled for a dtype when it is first needed."""

    def __init__(self, path: Path, cp: ModuleType) -> None:
        self.path = path
        self._cp = cp
        self._modules: dict[str, Any] = {}
        self._functions: dict[tuple[str, str], Any] = {}

    def launch(
        self,
        name: str,
        blocks: int,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        *scalars: int | float,
    ) -> None:
        """Run the kernel `name` on `blocks` blocks of THREADS threads.

        The kernel's parameters are the inputs, the outputs, then the scalars. The first input's
        dtype decides what `real` is; every other floating-point array must have it too. Inputs of
        any layout and of any integer type are accepted: a kernel sees them C-contiguous, integers
        as int64. Outputs are written in place, so make them with `cupy.empty(shape, dtype)`. A
        float arrives in the kernel as `real`, an int as 64 bits.

        Raises DTypeError for an array on the CPU or of a dtype that the kernel cannot take,
        KernelError where there is no GPU.
        """
        real = inputs[0].dtype
        arrays = [self._as_argument(name, array, real) for array in inputs]
        numbers = [np.int64(s) if isinstance(s, int) else real.type(s) for s in scalars]
        function = self._function(name, str(real))
        if blocks:  # a launch of no blocks is an error in CUDA
            function((blocks,), (THREADS,), (*arrays, *outputs, *numbers))

    def _as_argument(self, kernel: str, array: Array, real: np.dtype) -> Array:
        """Return the array as a kernel reads it: on the GPU, C-contiguous, of `real` or int64."""
        if not isinstance(array, self._cp.ndarray):
            raise DTypeError(
                f"{kernel} was given a {type(array).__module__}.{type(array).__name__}, expected "
                "arrays on the GPU; move it there with cupy.asarray(x)."
            )
        if array.dtype.kind in "iu":
            return self._cp.ascontiguousarray(array, dtype=np.int64)
        if array.dtype != real:
            raise DTypeError(
                f"{kernel} was given an array of {array.dtype} beside one of {real}, expected one "
                f"dtype for all; convert it with x.astype(np.{real})."
            )
        return self._cp.ascontiguousarray(array)

    def _function(self, name: str, dtype: str) -> Any:
        if (name, dtype) not in self._functions:
            self._functions[name, dtype] = self._module(name, dtype).get_function(name)
        return self._functions[name, dtype]

    def _module(self, kernel: str, dtype: str) -> Any:
        if dtype not in REALS:
            raise DTypeError(
                f"{kernel} was given an array of {dtype}, expected {' or '.join(REALS)}; "
                "convert it with x.astype(np.float32)."
            )
        if not self._cp.cuda.is_available():
            raise KernelError(
                f"{kernel} needs an NVIDIA GPU and CuPy: pip install 'bigmodel-edu[gpu]' on a "
                "machine that has one; everywhere else use the NumPy reference or PyTorch."
            )
        if dtype not in self._modules:
            self._modules[dtype] = self._cp.RawModule(
                code=kernel_source(self.path),
                options=compiler_options(REALS[dtype]),
            )
        return self._modules[dtype]
