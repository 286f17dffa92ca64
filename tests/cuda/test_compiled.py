"""Kernels on the CPU behave as on a GPU, and a launch that a GPU would misread is refused."""

import platform

import numpy as np
import pytest

from bigmodel_edu.cuda import compiled
from bigmodel_edu.cuda.compiled import compile_kernels, parse_signatures
from bigmodel_edu.cuda.kernels import KernelError

SOURCE = """
typedef REAL real;
typedef long long int64;

// extern "C" __global__ void commented_out(real* x) {}
extern "C" __global__ void scale(const real* __restrict__ x, real* y, int64 n,
                                 real factor /* times this */) {
    const int64 i = blockIdx.x * int64(blockDim.x) + threadIdx.x;
    if (i < n) y[i] = factor * x[i];
}

// Every block turns its own part of x around, through shared memory.
extern "C" __global__ void reverse(const real* x, real* y) {
    __shared__ real part[8];
    const int here = blockIdx.x * blockDim.x;
    part[threadIdx.x] = x[here + threadIdx.x];
    __syncthreads();
    y[here + threadIdx.x] = part[blockDim.x - 1 - threadIdx.x];
}

// The same, with memory whose size the launch decides.
extern "C" __global__ void reverse_dynamic(const real* x, real* y) {
    extern __shared__ real part[];
    const int here = blockIdx.x * blockDim.x;
    part[threadIdx.x] = x[here + threadIdx.x];
    __syncthreads();
    y[here + threadIdx.x] = part[blockDim.x - 1 - threadIdx.x];
}

// Odd threads leave at once, the others still meet.
extern "C" __global__ void half_leave(real* y) {
    __shared__ real evens;
    if (threadIdx.x % 2) return;
    if (threadIdx.x == 0) evens = 0;
    __syncthreads();
    atomicAdd(&evens, real(1));
    __syncthreads();
    y[blockIdx.x * blockDim.x + threadIdx.x] = evens;
}

extern "C" __global__ void beyond(const real* x, real* y, int64 n) { y[n] = x[0]; }

extern "C" __global__ void in_place(const real* x, real* y) { y[threadIdx.x] = 2 * x[threadIdx.x]; }

// y[i] = x[i + step] in each block, through shared memory, but with no __syncthreads().
extern "C" __global__ void shift(const real* x, real* y, int64 step) {
    __shared__ real part[8];
    const int here = blockIdx.x * 8;
    part[threadIdx.x] = x[here + threadIdx.x];
    const int from = threadIdx.x + step;
    y[here + threadIdx.x] = 0 <= from && from < 8 ? part[from] : 0;
}
"""
OPTIONS = ("-std=c++17", "-DREAL=float")
REAL_THREADS = "-DSHIM_REAL_THREADS"  # instead of threads that take turns
X = np.arange(1, 25, dtype=np.float32)


@pytest.fixture(params=[(), (REAL_THREADS,)], ids=["turns", "real_threads"])
def kernels(cpp_compiler, request):
    return compile_kernels(SOURCE, (*OPTIONS, *request.param))


def arguments(**changes):
    given = {"x": X, "y": np.empty_like(X), "n": np.int64(24), "factor": np.float32(3)} | changes
    return tuple(given.values())


def test_signatures_are_read_with_their_types():
    signatures = parse_signatures(SOURCE, "double")
    assert "commented_out" not in signatures
    x, y, n, factor = signatures["scale"]
    assert (x.name, x.dtype, x.is_pointer, x.is_const) == ("x", np.float64, True, True)
    assert (y.name, y.is_pointer, y.is_const) == ("y", True, False)
    assert (n.name, n.dtype, n.is_pointer) == ("n", np.int64, False)
    assert (factor.name, factor.dtype) == ("factor", np.float64)


def test_a_parameter_of_another_type_is_refused():
    with pytest.raises(KernelError, match="k has a parameter 'half x', expected one of type real"):
        parse_signatures('extern "C" __global__ void k(half x) {}', "float")


def test_every_thread_of_every_block_runs(kernels):
    y = np.empty_like(X)
    kernels["scale"]((3,), (10,), arguments(y=y))
    np.testing.assert_array_equal(y, 3 * X)


@pytest.mark.parametrize(("name", "shared"), [("reverse", 0), ("reverse_dynamic", 8 * 4)])
def test_the_threads_of_a_block_share_memory(kernels, name, shared):
    y = np.empty_like(X)
    kernels[name]((3,), (8,), (X, y), shared_mem=shared)
    np.testing.assert_array_equal(y, X.reshape(3, 8)[:, ::-1].ravel())


def test_a_thread_that_returns_early_is_not_waited_for_and_is_back_in_the_next_block(kernels):
    y = np.zeros_like(X)
    kernels["half_leave"]((3,), (8,), (y,))
    np.testing.assert_array_equal(y, np.tile([4, 0], 12))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="here threads do not take turns")
@pytest.mark.usefixtures("cpp_compiler")
@pytest.mark.parametrize(("step", "wrong_blocks"), [(1, [0, 2]), (-1, [1])])
def test_a_missing_barrier_shows_in_every_run(step, wrong_blocks):
    y, padded = np.empty_like(X), np.pad(X.reshape(3, 8), ((0, 0), (1, 1)))
    right = padded[:, 1 + step : 9 + step]
    shift = compile_kernels(SOURCE, OPTIONS)["shift"]
    for _ in range(3):
        shift((3,), (8,), (X, y, np.int64(step)))
        is_wrong = (y.reshape(3, 8) != right).any(axis=1)
        assert np.flatnonzero(is_wrong).tolist() == wrong_blocks


def test_each_library_has_shared_memory_of_its_own(cpp_compiler):
    """Else what a broken kernel writes beyond its shared memory would spoil a right one."""
    source = """
    template <typename T> __device__ T swapped(T value) {{
        __shared__ T memory[1];
        const T before = memory[0];
        memory[0] = value;
        return before;
    }}
    extern "C" __global__ void swap(float* y) {{ y[0] = swapped(y[0]); }}  // {number}
    """
    seen = []
    for number in (1, 2):
        y = np.array([7], np.float32)
        compile_kernels(source.format(number=number), OPTIONS)["swap"]((1,), (1,), (y,))
        seen.append(y[0])
    assert seen == [0, 0]


def test_an_array_given_twice_is_one_array(kernels):
    x = X.copy()
    kernels["in_place"]((1,), (24,), (x, x))
    np.testing.assert_array_equal(x, 2 * X)


def test_a_thread_that_writes_past_the_end_is_reported_and_does_no_harm(kernels):
    memory = np.zeros(48, dtype=np.float32)
    with pytest.raises(KernelError, match=r"beyond writes outside of y, .* elements 0 to 23"):
        kernels["beyond"]((1,), (1,), (X, memory[:24], np.int64(24)))
    assert not memory.any()


def test_a_nan_that_was_read_and_written_past_the_end_is_reported(kernels):
    with pytest.raises(KernelError, match=r"in_place writes outside of y"):
        kernels["in_place"]((1,), (32,), (X, np.zeros_like(X)))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"factor": 3.0}, r"factor is a float 3\.0, expected a numpy\.float32"),
        ({"factor": np.float64(3)}, r"factor is a float64 .*, expected a numpy\.float32"),
        ({"n": 24}, r"n is a int 24, expected a numpy\.int64"),
        ({"n": np.int32(24)}, r"n is a int32 .*, expected a numpy\.int64"),
        ({"n": np.array(24)}, r"n is a array of int64, expected a numpy\.int64"),
        ({"x": X.astype(np.float64)}, "x is a array of float64, expected an array of float32"),
        ({"x": X.astype(np.int64)}, "x is a array of int64, expected an array of float32"),
        ({"x": list(X)}, "x is a list .*, expected an array of float32"),
        ({"x": np.repeat(X, 2)[::2]}, "x is a array .*, expected a C-contiguous array"),
        ({"y": np.broadcast_to(X, (1, 24))}, "y is a array .*, expected an array that may be wri"),
    ],
)
def test_an_argument_that_a_gpu_would_misread_is_refused(kernels, changes, sentence):
    with pytest.raises(KernelError, match=f"^scale: {sentence}"):
        kernels["scale"]((3,), (10,), arguments(**changes))


@pytest.mark.parametrize(
    ("grid", "block", "options", "sentence"),
    [
        ((0,), (10,), {}, "0 blocks of 10 threads"),
        ((1,), (1025,), {}, "1 blocks of 1025 threads"),
        ((2**31,), (1,), {}, "2147483648 blocks"),
        (1, (10,), {}, "grid is 1, expected a tuple"),
        ((1,), (2, 2), {}, r"block is \(2, 2\), expected a tuple of one size"),
        ((1,), (10,), {"shared_mem": 49153}, "49153 bytes of shared memory"),
    ],
)
def test_a_launch_that_a_gpu_would_refuse_is_refused(kernels, grid, block, options, sentence):
    with pytest.raises(KernelError, match=sentence):
        kernels["scale"](grid, block, arguments(), **options)


def test_a_missing_argument_is_named(kernels):
    with pytest.raises(KernelError, match="3 arguments, expected 4: x, y, n, factor"):
        kernels["scale"]((3,), (10,), arguments()[:3])


@pytest.mark.usefixtures("cpp_compiler")
def test_a_compilers_error_points_into_the_file():
    source = 'extern "C" __global__ void k(float* x) {\n  undefined_name;\n}'
    with pytest.raises(KernelError, match=r"kernels\.cu:2:.*undefined_name"):
        compile_kernels(source, OPTIONS)


def test_an_option_without_a_counterpart_is_refused():
    with pytest.raises(KernelError, match="no counterpart of --use_fast_math"):
        compile_kernels(SOURCE, (*OPTIONS, "--use_fast_math"))


@pytest.mark.usefixtures("cpp_compiler")
def test_a_library_is_built_once_and_nothing_else_is_left(tmp_path, monkeypatch):
    monkeypatch.setenv(compiled.CACHE, str(tmp_path / "new"))
    first = compiled.build_library("int x;", ())
    stamp = first.stat().st_mtime_ns
    assert compiled.build_library("int x;", ()) == first
    assert first.stat().st_mtime_ns == stamp
    assert compiled.build_library("int x;", ("-DREAL=double",)) != first
    assert len(list((tmp_path / "new").iterdir())) == 2


@pytest.mark.usefixtures("cpp_compiler")
def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv(compiled.CACHE, str(tmp_path / "file"))
    with pytest.raises(KernelError, match=f"set {compiled.CACHE} to a folder"):
        compiled.build_library("int y;", ())


def test_the_compiler_is_cxx_or_found_on_the_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert compiled.find_compiler() is None
    with pytest.raises(KernelError, match=r"install g\+\+ or clang\+\+, or set CXX"):
        compiled.build_library("int z;", ())
    compiler = tmp_path / "my compiler"
    compiler.touch(mode=0o755)
    monkeypatch.setenv("CXX", f"'{compiler}' -O1")
    assert compiled.find_compiler() == [str(compiler), "-O1"]
