"""A chapter's `cupy_impl` with NumPy in CuPy's place."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from bigmodel_edu.cuda import on_cpu
from bigmodel_edu.cuda.kernels import KernelError

CHAPTER_ONE = """
    import cupy as cp
    from pathlib import Path
    from dataclasses import dataclass
    from bigmodel_edu.cuda.kernels import load_kernels

    KERNELS = load_kernels(Path(__file__).with_name("kernels.cu"), cp)

    @dataclass(frozen=True)
    class Doubled:
        name: str = "kernel"

        def __call__(self, x):
            y = cp.empty(x.shape, x.dtype)
            KERNELS.launch(self.name, 1, (x,), (y,), x.size)
            return y
"""
PACKAGE = {
    "__init__.py": """
        from .doubling import Doubled as Doubled
        from .squared import Fourfold as Fourfold
    """,
    "doubling.py": CHAPTER_ONE,
    "squared.py": """
        from dataclasses import dataclass
        from .. import reference
        from ..reference import SCALE
        from . import doubling
        from .doubling import Doubled

        @dataclass(frozen=True)
        class Fourfold:
            def __call__(self, x):
                assert doubling.Doubled is Doubled and reference.SCALE == SCALE
                return SCALE * Doubled()(Doubled()(x))
    """,
}
KERNELS = """
    typedef REAL real;
    extern "C" __global__ void kernel(const real* x, real* y, long long n) {
        if (threadIdx.x < n) y[threadIdx.x] = 2 * x[threadIdx.x];
    }
    extern "C" __global__ void forgetful(const real* x, real* y, long long n) {
        if (threadIdx.x < n - 1) y[threadIdx.x] = 2 * x[threadIdx.x];
    }
"""


@pytest.fixture
def book(tmp_path, monkeypatch, request):
    """A package `tiny_book` of its own for each test, with chapters as {slug: cupy_impl}."""
    name = f"tiny_book_{request.node.name}".partition("[")[0]
    monkeypatch.syspath_prepend(tmp_path)

    def write(**chapters):
        for slug, implementation in chapters.items():
            folder = tmp_path / name / slug
            folder.mkdir(parents=True)
            (folder / "__init__.py").touch()
            source = textwrap.dedent(implementation).replace("BOOK", name)
            (folder / "cupy_impl.py").write_text(source, encoding="utf-8")
            (folder / "kernels.cu").write_text(textwrap.dedent(KERNELS), encoding="utf-8")
        return name

    write.folder = tmp_path / name
    yield write
    for module in [m for m in sys.modules if m.partition(".")[0] == name]:
        del sys.modules[module]


def twin(name, chapter="one", **options):
    if reason := on_cpu.unavailable():
        pytest.skip(reason)
    return on_cpu.twin_module(f"{name}.{chapter}", **options)


def test_kernels_run_on_numpy_arrays(book):
    doubled = twin(book(one=CHAPTER_ONE)).Doubled()
    for dtype in (np.float32, np.float64):
        y = doubled(np.array([1, 2, 3], dtype=dtype))
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, [2, 4, 6])


def test_an_element_that_no_thread_writes_is_not_a_number(book):
    y = twin(book(one=CHAPTER_ONE)).Doubled("forgetful")(np.ones(3))
    np.testing.assert_array_equal(y, [2, 2, np.nan])


def test_a_kernel_that_is_not_there_is_named(book):
    with pytest.raises(KernelError, match="no kernel 'missing', only kernel, forgetful"):
        twin(book(one=CHAPTER_ONE)).Doubled("missing")(np.ones(3))


def test_an_edit_changes_the_kernels_of_one_module_only(book):
    name = book(one=CHAPTER_ONE)
    edited = twin(name, edit=lambda source: source.replace("2 *", "3 *"))
    np.testing.assert_array_equal(edited.Doubled()(np.ones(2)), [3, 3])
    np.testing.assert_array_equal(twin(name).Doubled()(np.ones(2)), [2, 2])


@pytest.mark.parametrize(
    "imports", ["from BOOK.one.cupy_impl import Doubled", "from ..one.cupy_impl import Doubled"]
)
def test_a_later_chapter_gets_the_twins_of_an_earlier_one(book, imports):
    name = book(one=CHAPTER_ONE, two=imports)
    np.testing.assert_array_equal(twin(name, "two").Doubled()(np.ones(2)), [2, 2])
    assert f"{name}.one.cupy_impl" not in sys.modules


@pytest.mark.parametrize(
    "imports",
    ["from cupyx.scipy import special", "import cupy.linalg", "from ..one import cupy_impl"],
)
def test_an_import_that_numpy_cannot_stand_in_for_is_refused(book, imports):
    name = book(one=CHAPTER_ONE, two=imports)
    with pytest.raises(ImportError, match="cannot be replaced by NumPy; write `import cupy as cp`"):
        twin(name, "two")


@pytest.fixture
def package(book):
    """The name of a book whose only chapter has a package `cupy_impl`."""
    name = book(one="")
    folder = book.folder / "one" / "cupy_impl"
    folder.with_suffix(".py").unlink()
    folder.mkdir()
    (folder.parent / "reference.py").write_text("SCALE = 10\n", encoding="utf-8")
    for file, source in PACKAGE.items():
        (folder / file).write_text(textwrap.dedent(source), encoding="utf-8")
    (folder.parent / "kernels.cu").rename(folder / "kernels.cu")
    return name


def test_the_modules_of_a_package_import_each_other(package):
    np.testing.assert_array_equal(twin(package).Fourfold()(np.ones(2)), [40, 40])
    assert f"{package}.one.cupy_impl" not in sys.modules
    assert f"{package}.one.reference" in sys.modules


def test_an_edit_reaches_every_module_of_its_own_package_only(package):
    edited = twin(package, edit=lambda source: source.replace("2 *", "3 *"))
    np.testing.assert_array_equal(edited.Fourfold()(np.ones(2)), [90, 90])
    np.testing.assert_array_equal(twin(package).Fourfold()(np.ones(2)), [40, 40])


def test_a_module_of_an_earlier_chapters_package_is_not_imported_by_itself(package, book):
    book(two="from BOOK.one.cupy_impl.doubling import Doubled")
    with pytest.raises(ImportError, match="cannot be replaced by NumPy; write `import cupy as cp`"):
        twin(package, "two")


def test_cupy_itself_is_neither_imported_nor_replaced():
    code = (
        "import sys; from bigmodel_edu.cuda import on_cpu;"
        "on_cpu.twin_module('bigmodel_edu.neural_nets').Softmax();"
        "assert 'cupy' not in sys.modules;"
        "assert 'bigmodel_edu.neural_nets.cupy_impl' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_a_compiler_the_reason_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    on_cpu.unavailable.cache_clear()
    try:
        assert "there is no C++ compiler" in on_cpu.unavailable()
    finally:
        on_cpu.unavailable.cache_clear()
