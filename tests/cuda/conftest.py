"""A compiler for kernels on the CPU, or the reason why there is none."""

import pytest

from bigmodel_edu.cuda import on_cpu


@pytest.fixture
def cpp_compiler():
    if reason := on_cpu.unavailable():
        pytest.skip(reason)
