"""Shared by all tests: the kernel cache, and breaking a chapter to see that its judges notice."""

import math
import os
import secrets
import shutil
import signal
import sys
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import setuptools  # noqa: F401  nbgrader imports it, which fails behind Python's own distutils

import bigmodel_edu
from bigmodel_edu.components import Component
from bigmodel_edu.cuda import on_cpu
from bigmodel_edu.data import DOWNLOADS, data_folder, human_size, status
from bigmodel_edu.parity import ParityError, check, judges_of

pytest_plugins = ["times"]
PACKAGE = Path(bigmodel_edu.__file__).parent
FIRST_SEED = "BIGMODEL_FIRST_SEED"
GPU_JUDGES = {"cupy", "reference-on-cupy"}


def pytest_addoption(parser):
    group = parser.getgroup("exercises")
    group.addoption(
        "--seeds",
        type=int,
        default=10,
        help="with how many seeds each exercise is checked, a project with fewer",
    )
    group.addoption(
        "--seconds",
        type=float,
        default=math.inf,
        help="processor time after which an exercise gets no further seeds, though at least 100",
    )
    group.addoption(
        "--first-seed",
        type=int,
        default=int(os.environ.get(FIRST_SEED) or secrets.randbelow(10**6)),
        help="the first of them; by default another one in every run",
    )


def pytest_report_header(config):
    first, count = config.getoption("first_seed"), config.getoption("seeds")
    return f"exercises: {count} seeds, from --first-seed={first}"


def pytest_configure(config):
    os.environ[FIRST_SEED] = str(config.getoption("first_seed"))  # the workers of xdist draw none
    # Compiled kernels are kept between runs: in pytest's own cache, not in the user's.
    os.environ.setdefault("BIGMODEL_KERNEL_CACHE", str(config.cache.mkdir("kernels")))


def pytest_collection_modifyitems(items):
    from times import kind_of  # the plugin below: it is not imported before pytest does so

    # A chapter takes longer than any other test: begun last, it would keep one worker alone.
    items.sort(key=lambda item: kind_of(item.nodeid) != "notebooks")


@pytest.fixture
def break_line(tmp_path, monkeypatch):
    """Return `break_line(chapter, file, old, new)`: all components see the chapter so broken.

    `file` is a path inside the chapter's package, as "reference/linear.py". The source is loaded as
    a private copy; the package itself is left alone.
    """
    loaded = []

    def load(package: Path, kind: str) -> ModuleType:
        name = f"broken_{len(loaded)}"
        loaded.append(name)
        spec = spec_from_file_location(
            name, package / "__init__.py", submodule_search_locations=[str(package)]
        )
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
        return import_module(f"{name}.{kind}")

    def break_line(chapter: str, file: str, old: str, new: str) -> None:
        kind = Path(file).parts[0].removesuffix(".py")
        copy = tmp_path / chapter
        shutil.copytree(PACKAGE / chapter, copy, ignore=shutil.ignore_patterns("__pycache__"))
        source = (copy / file).read_text(encoding="utf-8")
        assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in {file}"
        (copy / file).write_text(source.replace(old, new), encoding="utf-8")
        broken = load(copy, kind)
        real = Component.implementation
        monkeypatch.setattr(
            Component,
            "implementation",
            lambda self, asked: broken if asked == kind else real(self, asked),
        )

    yield break_line
    for name in [m for m in sys.modules if m.partition(".")[0] in loaded]:
        del sys.modules[name]


@pytest.fixture(scope="session")
def broken_twin():
    """Return `broken_twin(chapter, edits)`: its CuPy twin on the CPU, with broken kernels.

    `edits` are pairs of right and wrong text. What was compiled once is kept.
    """

    @cache
    def broken_twin(chapter: str, edits: tuple[tuple[str, str], ...]) -> ModuleType:
        def edit(source: str) -> str:
            for right, wrong in edits:
                source = source.replace(right, wrong)
            return source

        return on_cpu.twin_module(f"bigmodel_edu.{chapter}", edit=edit)

    return broken_twin


@pytest.fixture
def caught_by():
    """Return `caught_by(component)`: the kinds of judges that say no, without the CUDA ones."""

    def caught_by(component: Component) -> set[str]:
        caught = set()
        for name in judges_of(component).keys() - GPU_JUDGES - {"cuda-on-cpu"}:
            try:
                check(component, name)
            except (ParityError, ValueError):  # a wrong answer, or shapes that NumPy refuses
                caught.add(name.partition(":")[0])
        return caught

    return caught_by


@pytest.fixture
def usual_signals():
    """Let signals that end a program end it, though the tests may run where they are ignored."""
    usual = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def needs_data():
    """Return `needs_data(name)`: skip, and say why, where the set-up could not fetch this data.

    In continuous integration the test fails instead, lest it be green for not having run.
    """

    def needs_data(name: str) -> None:
        if (found := status(name)) != "ready":
            stop = pytest.fail if os.environ.get("CI") else pytest.skip
            stop(
                f"{name} ({human_size(DOWNLOADS[name].size)}) is {found} in {data_folder()}: "
                f"run `bigmodel data fetch {name}`"
            )

    return needs_data
