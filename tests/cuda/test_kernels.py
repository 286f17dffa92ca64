"""What `Kernels.launch` hands to CuPy; CuPy is a recorder here, so neither GPU nor compiler."""

from types import SimpleNamespace

import numpy as np
import pytest

from bigmodel_edu.cuda.kernels import (
    THREADS,
    KernelError,
    blocks_for,
    kernel_source,
    load_kernels,
    rows_and_columns,
)
from bigmodel_edu.errors import DTypeError


class GpuArray(np.ndarray):
    """Stands for cupy.ndarray, which NumPy's own arrays are not."""


class Recorder:
    """A CuPy that keeps the modules that were compiled and the launches that were made."""

    ndarray = GpuArray

    def __init__(self, *, has_gpu=True):
        self.cuda = SimpleNamespace(is_available=lambda: has_gpu)
        self.modules, self.launches = [], []

    def RawModule(self, *, code, options):
        self.modules.append((code, options))
        return SimpleNamespace(
            get_function=lambda name: lambda *launch: self.launches.append((name, *launch))
        )

    @staticmethod
    def ascontiguousarray(array, dtype=None):
        return np.asarray(array, dtype=dtype, order="C")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "kernels.cu"
    path.write_text("// σ", encoding="utf-8")
    return path


def on_gpu(*values, dtype):
    return np.array(values, dtype=dtype).view(GpuArray)


def test_what_a_file_includes_is_put_in_and_line_numbers_stay(tmp_path):
    path = tmp_path / "kernels.cu"
    path.write_text('// first\n#include "common.cuh"\n// third\n', encoding="utf-8")
    lines = kernel_source(path).splitlines()
    assert lines[0] == "// first"
    assert lines[-2:] == ['#line 3 "kernels.cu"', "// third"]
    assert "typedef REAL real;" in lines
    assert not any(line.startswith("#include") for line in lines)


def test_a_header_beside_the_file_comes_before_those_of_all_chapters(tmp_path):
    path = tmp_path / "cell.cu"
    path.write_text('#include "gates.cuh"\n#include "common.cuh"\n', encoding="utf-8")
    (tmp_path / "gates.cuh").write_text("// gates\n", encoding="utf-8")
    lines = kernel_source(path).splitlines()
    assert lines[:2] == ["// gates", '#line 2 "cell.cu"']
    assert "typedef REAL real;" in lines
    (tmp_path / "common.cuh").write_text("// own\n", encoding="utf-8")
    assert kernel_source(path).splitlines()[2] == "// own"


def test_a_header_that_is_nowhere_is_named(tmp_path):
    path = tmp_path / "cell.cu"
    path.write_text('#include "gates.cuh"\n', encoding="utf-8")
    with pytest.raises(KernelError, match=r"cell\.cu includes gates\.cuh, which is neither beside"):
        kernel_source(path)


def test_rows_and_columns_of_an_array_of_any_axes():
    assert rows_and_columns(np.zeros((2, 3, 5))) == (6, 5)
    assert rows_and_columns(np.zeros(5)) == (1, 5)


def test_blocks_cover_every_element_and_no_block_is_idle():
    assert [blocks_for(n) for n in (0, 1, THREADS, THREADS + 1)] == [0, 1, 1, 2]
    assert blocks_for(33, per_block=32) == 2


@pytest.mark.parametrize(("dtype", "real"), [("float32", "float"), ("float64", "double")])
def test_scalars_arrive_with_exactly_the_bytes_of_the_kernels_types(path, dtype, real):
    cp = Recorder()
    x, y = on_gpu(1, 2, dtype=dtype), on_gpu(0, 0, dtype=dtype)
    load_kernels(path, cp).launch("double_it", 3, (x,), (y,), 2, 0.5)
    ((name, grid, block, args),) = cp.launches
    assert (name, grid, block) == ("double_it", (3,), (THREADS,))
    assert args[1] is y
    assert [type(a) for a in args[2:]] == [np.int64, np.dtype(dtype).type]
    ((code, options),) = cp.modules
    assert code == "// σ\n"
    assert options == ("-std=c++17", f"-DREAL={real}", f"-DTHREADS={THREADS}")


def test_a_file_is_compiled_once_for_each_dtype(path):
    cp = Recorder()
    kernels = load_kernels(path, cp)
    for dtype in ("float32", "float64", "float32"):
        for name in ("one", "two", "one"):
            kernels.launch(name, 1, (on_gpu(1, dtype=dtype),), ())
    assert len(cp.modules) == 2
    assert len(cp.launches) == 9


def test_inputs_become_contiguous_and_integers_64_bits_wide(path):
    cp = Recorder()
    matrix = np.arange(6.0).reshape(2, 3).view(GpuArray)
    load_kernels(path, cp).launch("k", 1, (matrix.T, on_gpu(1, 2, dtype=np.uint8)), ())
    ((*_, (transposed, labels)),) = cp.launches
    assert transposed.flags.c_contiguous
    np.testing.assert_array_equal(transposed, matrix.T)
    assert labels.dtype == np.int64


def test_nothing_is_launched_for_no_elements(path):
    cp = Recorder()
    load_kernels(path, cp).launch("k", 0, (np.empty(0).view(GpuArray),), ())
    assert cp.launches == []


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ((np.ones(2),), r"numpy\.ndarray, expected arrays on the GPU.*cupy\.asarray"),
        ((on_gpu(1, dtype=np.float16),), "float16, expected float32 or float64"),
        (
            (on_gpu(1, dtype=np.float32), on_gpu(1, dtype=np.float64)),
            r"float64 beside one of float32.*astype\(np\.float32\)",
        ),
    ],
)
def test_what_a_gpu_would_misread_is_refused(path, arrays, sentence):
    cp = Recorder()
    with pytest.raises(DTypeError, match=sentence):
        load_kernels(path, cp).launch("k", 1, arrays, ())
    assert cp.launches == []


def test_without_a_gpu_the_error_says_what_is_needed(path):
    kernels = load_kernels(path, Recorder(has_gpu=False))
    with pytest.raises(KernelError, match=r"k needs an NVIDIA GPU and CuPy: pip install"):
        kernels.launch("k", 1, (on_gpu(1, dtype=np.float32),), ())
