"""The kernels compile to machine code for real GPUs, with no GPU."""

import sys
from pathlib import Path

import pytest

from bigmodel_edu.cuda import nvrtc
from bigmodel_edu.cuda.kernels import KernelError, kernel_source

KERNEL_FILES = sorted(Path(nvrtc.__file__).parents[1].glob("*/**/*.cu"))


def name_of(path: Path) -> str:
    """Return "lstm-gru" for lstm/cupy_impl/gru.cu."""
    return f"{path.parents[1].name}-{path.stem}"


@pytest.fixture
def compiler():
    if reason := nvrtc.unavailable():
        pytest.skip(reason)


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("real", ["float", "double"])
@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
@pytest.mark.parametrize("path", KERNEL_FILES, ids=name_of)
def test_kernels_compile_to_machine_code(path, arch, real):
    cubin = nvrtc.compile_cubin(kernel_source(path), arch, real)
    assert cubin.startswith(b"\x7fELF")


@pytest.mark.usefixtures("compiler")
def test_an_error_carries_the_compilers_log():
    with pytest.raises(KernelError, match=r"sm_90[\s\S]*kernels\.cu\(2\): error.*undefined_name"):
        nvrtc.compile_cubin(
            "__global__ void k(float* x) {\n*x = undefined_name; }", "sm_90", "float"
        )


def test_without_nvrtc_the_reason_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    assert "pip install cuda-bindings nvidia-cuda-nvrtc" in nvrtc.unavailable()
    with pytest.raises(KernelError, match="is not installed"):
        nvrtc.compile_cubin("", "sm_90", "float")
