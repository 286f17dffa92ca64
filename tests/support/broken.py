"""Chapters broken on purpose: the tables of slips in `tests/<chapter>/mutants.py`, and their use.

A table says what is right, what is written in its place, and what has to fail then. Slips in the
kernels are compiled, which takes a second: those that do not meet are put into one compilation.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

import bigmodel_edu
from bigmodel_edu.cuda.kernels import KernelError, kernel_source
from bigmodel_edu.parity import ParityError

TESTS = Path(__file__).parents[1]
PACKAGE = Path(bigmodel_edu.__file__).parent
Slip = tuple[str, str, str]
"""Of a kernel: what must be wrong then, the right text, the wrong one."""


def tables(chapter: str) -> ModuleType:
    """Return the tables of a chapter: `SLIPS` of lines, and `KERNEL_SLIPS`."""
    spec = spec_from_file_location(f"mutants_of_{chapter}", TESTS / chapter / "mutants.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def kernel_slips(chapter: str) -> list[Slip]:
    """Return all slips of a chapter's kernels."""
    return [slip for group in tables(chapter).KERNEL_SLIPS for slip in group]


def each_kernel_slip(chapter: str, kernel_of: Callable[[str], str] = str) -> pytest.MarkDecorator:
    """Give a test each `slip`, and with it those that are compiled `together`.

    kernel_of: the kernel that a thing is made of, where two of them are made of one.
    """
    rounds = [r for group in tables(chapter).KERNEL_SLIPS for r in _packed(group, kernel_of)]
    cases = [
        pytest.param(slip, tuple(together), id=f"{slip[0]}: {slip[1]} → {slip[2]}")
        for together in rounds
        for slip in together
    ]
    return pytest.mark.parametrize(("slip", "together"), cases)


def _packed(group: Sequence[Slip], kernel_of: Callable[[str], str]) -> list[list[Slip]]:
    """Return the slips in few rounds, with one slip of a kernel at most in each."""
    rounds: dict[int, list[Slip]] = {}
    seen: Counter[str] = Counter()
    for slip in group:
        kernel = kernel_of(slip[0])
        rounds.setdefault(seen[kernel], []).append(slip)
        seen[kernel] += 1
    return list(rounds.values())


def expect_caught(
    chapter: str,
    slip: Slip,
    together: Sequence[Slip],
    broken_twin: Callable[..., ModuleType],
    search: Callable[[str, ModuleType], None],
) -> None:
    """Fail unless `search(what, module)` finds that the broken kernels are wrong."""
    what, right, _ = slip
    kernels = (PACKAGE / chapter / "cupy_impl").glob("*.cu")
    assert any(right in kernel_source(path) for path in kernels), f"no kernel holds {right!r}"
    broken = broken_twin(chapter, tuple((right, wrong) for _, right, wrong in together))
    with pytest.raises((ParityError, KernelError), match=r"is off by|writes outside"):
        search(what, broken)
