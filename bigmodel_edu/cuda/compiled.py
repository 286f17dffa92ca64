"""A .cu file compiled as C++, with `shim.h`, so that its kernels run on the CPU.

A launch takes what CuPy's raw kernels take and refuses what would be garbage on a GPU: CuPy sends
the bytes of an argument without a look at the kernel's signature, `Kernel.__call__` does look.
"""

import ctypes
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from bigmodel_edu.cuda.kernels import KernelError

CACHE = "BIGMODEL_KERNEL_CACHE"
# -O1, because a test's kernels are compiled for longer than they run. Hidden, because the shared
# memory of a template would be one and the same in all libraries of a process: what a broken kernel
# writes beyond it would lie in the library of a right one.
FLAGS = ("-std=c++20", "-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-pthread", "-x", "c++")
SHOWN = 'extern "C" __attribute__((visibility("default")))'
MAX_THREADS = 1024  # per block, on every GPU
MAX_BLOCKS = 2**31 - 1
MAX_SHARED_BYTES = 48 * 1024  # per block, without asking the GPU for more
ONE_AT_A_TIME = threading.Lock()  # a library keeps the launch that is running in variables
GUARD = 256  # elements before and after an array: as far as a thread without bounds strays

SIGNATURE = re.compile(r'extern "C" __global__ void (?P<name>\w+) ?\((?P<parameters>.*?)\)')
PARAMETER = re.compile(
    r"(?P<const>const )?(?P<type>long long|\w+) ?(?P<pointer>\*)? ?(?:__restrict__ )?(?P<name>\w+)"
)
DYNAMIC_SHARED = re.compile(r"extern\s+__shared__\s+(?P<type>\w+)\s+(?P<name>\w+)\s*\[\s*\]")
DTYPES = {
    "float": np.float32,
    "double": np.float64,
    "int": np.int32,
    "int64": np.int64,
    "long long": np.int64,
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel: `const real* x` is a pointer that is not written through."""

    name: str
    c_type: str
    dtype: np.dtype
    is_pointer: bool
    is_const: bool

    def expect(self, kernel: str, value: object) -> None:
        """Raise KernelError unless `value` has exactly the bytes that the kernel will read."""
        if not self.is_pointer:
            if type(value) is not self.dtype.type:
                raise self._refusal(kernel, value, f"a numpy.{self.dtype}; a GPU would misread it")
        elif not isinstance(value, np.ndarray) or value.dtype != self.dtype:
            raise self._refusal(kernel, value, f"an array of {self.dtype}")
        elif not value.flags.c_contiguous:
            raise self._refusal(kernel, value, "a C-contiguous array; a kernel sees no strides")
        elif not self.is_const and not value.flags.writeable:
            raise self._refusal(kernel, value, "an array that may be written to")

    def _refusal(self, kernel: str, value: object, expected: str) -> KernelError:
        kind = type(value).__name__
        came = f"array of {value.dtype}" if isinstance(value, np.ndarray) else f"{kind} {value!r}"
        return KernelError(f"{kernel}: {self.name} is a {came}, expected {expected}.")


@dataclass(frozen=True)
class Kernel:
    """A kernel that runs on the CPU, called like a `cupy.RawKernel`."""

    name: str
    parameters: tuple[Parameter, ...]
    library: ctypes.CDLL

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], args: Sequence, *, shared_mem: int = 0
    ) -> None:
        """Run the kernel on `grid` blocks of `block` threads; returns when it has finished."""
        blocks, threads = self._one_size("grid", grid), self._one_size("block", block)
        self._expect_sizes(blocks, threads, shared_mem)
        self._expect_arguments(args)
        # The kernel works on copies between guards, so that no thread that strays does harm; an
        # array that is given twice is copied once.
        written = {
            _place(a)
            for parameter, a in zip(self.parameters, args, strict=True)
            if parameter.is_pointer and not parameter.is_const
        }
        copies = {
            _place(a): guard(a, is_written=_place(a) in written)
            for a in args
            if isinstance(a, np.ndarray)
        }
        buffers = [copies[_place(a)] if isinstance(a, np.ndarray) else None for a in args]
        # As in cudaLaunchKernel: pointers to the values, the value of an array being its address.
        values = [
            np.array(value if buffer is None else inside(buffer).ctypes.data)
            for value, buffer in zip(args, buffers, strict=True)
        ]
        pointers = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))
        launch = self.library[f"launch_{self.name}"]
        launch.restype = ctypes.c_bool
        launch.argtypes = (ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p)
        with ONE_AT_A_TIME:
            is_done = launch(blocks, threads, pointers)
        if not is_done:
            raise KernelError(
                f"{self.name} could not be run on the CPU: the system refused {threads} threads; "
                "raise the limits on processes and memory (ulimit -u, ulimit -v)."
            )
        for parameter, array, buffer in zip(self.parameters, args, buffers, strict=True):
            if not parameter.is_pointer or parameter.is_const:
                continue
            if not is_intact(buffer):
                raise KernelError(
                    f"{self.name} writes outside of {parameter.name}, expected only elements 0 to "
                    f"{array.size - 1}; look for a missing test of the index against the size."
                )
            array[...] = inside(buffer).reshape(array.shape)

    def _expect_sizes(self, blocks: int, threads: int, shared_bytes: int) -> None:
        if not (1 <= blocks <= MAX_BLOCKS and 1 <= threads <= MAX_THREADS):
            raise KernelError(
                f"{self.name} is launched with {blocks} blocks of {threads} threads, expected 1 to "
                f"{MAX_BLOCKS} blocks of 1 to {MAX_THREADS} threads."
            )
        if shared_bytes > MAX_SHARED_BYTES:
            raise KernelError(
                f"{self.name} asks for {shared_bytes} bytes of shared memory, expected at most "
                f"{MAX_SHARED_BYTES}."
            )

    def _expect_arguments(self, args: Sequence) -> None:
        if len(args) != len(self.parameters):
            raise KernelError(
                f"{self.name} was given {len(args)} arguments, expected {len(self.parameters)}: "
                f"{', '.join(p.name for p in self.parameters)}."
            )
        for parameter, value in zip(self.parameters, args, strict=True):
            parameter.expect(self.name, value)

    def _one_size(self, what: str, sizes: tuple[int, ...]) -> int:
        if not isinstance(sizes, tuple) or len(sizes) != 1:
            raise KernelError(f"{self.name}: {what} is {sizes!r}, expected a tuple of one size.")
        return sizes[0]


def _place(array: np.ndarray) -> tuple[int, int]:
    """Return where in memory a contiguous array is."""
    return array.ctypes.data, array.nbytes


def guard(array: np.ndarray, *, is_written: bool) -> np.ndarray:
    """Return a flat copy of the array between GUARD elements of NaN (of the lowest integer).

    The NaN around an array that is written has bits of its own: a thread that strays reads NaN
    beyond the inputs and writes NaN beyond the outputs, which must not look like what was there.
    """
    if array.dtype.kind == "f":
        bits = np.array(np.nan, array.dtype).view(f"u{array.dtype.itemsize}") + is_written
        nothing = bits.view(array.dtype)
    else:
        nothing = np.iinfo(array.dtype).min
    return np.pad(array.ravel(), GUARD, constant_values=nothing)


def inside(guarded: np.ndarray) -> np.ndarray:
    """Return the array that `guard` has copied, flat."""
    return guarded[GUARD:-GUARD]


def is_intact(guarded: np.ndarray) -> bool:
    """Return whether both guards of an array that was written are as `guard` has made them."""
    guards = np.concatenate((guarded[:GUARD], guarded[-GUARD:]))
    return guards.tobytes() == guard(guarded[:0], is_written=True).tobytes()


@cache
def compile_kernels(source: str, options: tuple[str, ...]) -> dict[str, Kernel]:
    """Return the kernels of a .cu file by name; `options` are those for NVRTC."""
    defines = tuple(option for option in options if option.startswith("-D"))
    if unknown := set(options) - set(defines) - {"-std=c++17"}:
        raise KernelError(f"the CPU's compiler has no counterpart of {', '.join(sorted(unknown))}.")
    real = next((d.removeprefix("-DREAL=") for d in defines if d.startswith("-DREAL=")), "float")
    signatures = parse_signatures(source, real)
    library = ctypes.CDLL(str(build_library(as_cpp(source, signatures), defines)))
    return {name: Kernel(name, parameters, library) for name, parameters in signatures.items()}


def parse_signatures(source: str, real: str) -> dict[str, tuple[Parameter, ...]]:
    """Return the parameters of every `extern "C" __global__ void name(...)` in the source."""
    code = re.sub(r"//[^\n]*|/\*.*?\*/", "", source, flags=re.DOTALL)
    flat = " ".join(code.split())
    return {
        match["name"]: tuple(
            _parameter(match["name"], text.strip(), real) for text in match["parameters"].split(",")
        )
        for match in SIGNATURE.finditer(flat)
    }


def _parameter(kernel: str, text: str, real: str) -> Parameter:
    match = PARAMETER.fullmatch(text)
    c_type = match and (real if match["type"] == "real" else match["type"])
    if c_type not in DTYPES:
        raise KernelError(
            f"{kernel} has a parameter {text!r}, expected one of type real, {', '.join(DTYPES)} "
            "or a pointer to it."
        )
    dtype = np.dtype(DTYPES[c_type])
    return Parameter(match["name"], c_type, dtype, bool(match["pointer"]), bool(match["const"]))


def as_cpp(source: str, signatures: dict[str, tuple[Parameter, ...]]) -> str:
    """Return the .cu file as C++: the shim before it, a launcher per kernel behind it."""
    shim = resources.files(__package__).joinpath("shim.h").read_text(encoding="utf-8")
    body = DYNAMIC_SHARED.sub(
        r"\g<type>* const \g<name> = reinterpret_cast<\g<type>*>(shim_dynamic_shared)",
        source,
    )
    launchers = "\n".join(_launcher(name, parameters) for name, parameters in signatures.items())
    return f'{shim}\n#line 1 "kernels.cu"\n{body}\n{launchers}\n'


def _launcher(name: str, parameters: tuple[Parameter, ...]) -> str:
    arguments = ", ".join(
        f"*static_cast<{p.c_type}{'*' * p.is_pointer}*>(arguments[{i}])"
        for i, p in enumerate(parameters)
    )
    return (
        f"{SHOWN} bool launch_{name}(unsigned blocks, unsigned threads, void** given) {{\n"
        "    return shim_launch(blocks, threads, "
        f"{{[](void** arguments) {{ {name}({arguments}); }}, given}});\n"
        "}"
    )


def find_compiler() -> list[str] | None:
    """Return the command of the C++ compiler: $CXX, or the first of c++, g++, clang++ on PATH."""
    command = shlex.split(os.environ.get("CXX", ""))
    candidates = [command] if command else [["c++"], ["g++"], ["clang++"]]
    return next((c for c in candidates if shutil.which(c[0])), None)


def build_library(cpp: str, defines: tuple[str, ...]) -> Path:
    """Return the shared library of a C++ source, from the cache where the same was built before."""
    compiler = find_compiler()
    if compiler is None:
        raise KernelError("there is no C++ compiler: install g++ or clang++, or set CXX.")
    flags = (*FLAGS, *(("-static",) if sys.platform == "win32" else ()), *defines)
    key = "\0".join((cpp, *compiler, *flags, _version(tuple(compiler))))
    suffix = ".dll" if sys.platform == "win32" else ".so"
    library = cache_folder() / (hashlib.sha256(key.encode()).hexdigest()[:32] + suffix)
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        if not library.exists():
            _compile(cpp, [*compiler, *flags], library)
    except OSError as error:
        raise KernelError(
            f"compiled kernels cannot be kept in {library.parent} ({error}); "
            f"set {CACHE} to a folder that can be written to."
        ) from error
    return library


def _compile(cpp: str, command: list[str], library: Path) -> None:
    """Compile in a folder of its own beside `library`, then move the result to its place."""
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        built = Path(folder) / library.name
        process = subprocess.run(
            [*command, "-", "-o", str(built)],
            input=cpp,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        if process.returncode:
            raise KernelError(
                f"{command[0]} cannot compile the kernels:\n{process.stderr.rstrip()}"
            )
        try:
            os.replace(built, library)
        except PermissionError:  # on Windows, when another process made and loaded it meanwhile
            if not library.exists():
                raise


@cache
def _version(compiler: tuple[str, ...]) -> str:
    command = [*compiler, "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def cache_folder() -> Path:
    """Return where compiled kernels are kept: $BIGMODEL_KERNEL_CACHE or the user's cache."""
    if folder := os.environ.get(CACHE):
        return Path(folder).expanduser()
    import pooch

    return Path(pooch.os_cache("bigmodel_edu")) / "kernels"
