"""What importing loads, how long it takes, and who may import whom."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

import bigmodel_edu
from bigmodel_edu import catalogue

PACKAGE = Path(bigmodel_edu.__file__).parent
SLUGS = [chapter.slug for chapter in catalogue.CHAPTERS]
WRITTEN = [chapter.slug for chapter in catalogue.written_chapters()]
REFERENCES = [f"bigmodel_edu.{slug}.reference" for slug in WRITTEN]
HEAVY = {"torch", "cupy", "scipy", "sklearn", "matplotlib", "pandas"}
SECONDS = 0.3  # beyond what NumPy itself takes, which differs from machine to machine

MEASURE = """
import json, sys, time
{before}
start = time.process_time()
import {module}
seconds = time.process_time() - start
print(json.dumps([seconds, sorted({{name.partition(".")[0] for name in sys.modules}})]))
"""


def import_afresh(module: str, before: str = "") -> tuple[float, set[str]]:
    """Return the seconds of processor time of an import, and the packages loaded after it.

    `before` is a statement that runs first and is not measured.
    """
    command = [sys.executable, "-c", MEASURE.format(module=module, before=before)]
    seconds, loaded = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return seconds, set(loaded)


@pytest.mark.parametrize("module", ["bigmodel_edu", "bigmodel_edu.catalogue", *REFERENCES])
def test_imports_are_light_and_quick(module):
    best = float("inf")
    for _ in range(5):  # a slow moment of the machine is not the package's fault
        seconds, loaded = import_afresh(module, before="import numpy")
        assert not loaded & HEAVY
        best = min(best, seconds)
        if best < SECONDS:
            return
    pytest.fail(f"import {module} takes {best:.2f} s after NumPy, more than {SECONDS} s")


def test_the_package_itself_loads_not_even_numpy():
    assert "numpy" not in import_afresh("bigmodel_edu")[1]


# Who may import whom


def imports(source: str, package: str) -> Iterator[tuple[str, bool]]:
    """Yield every module that a file of `package` imports, and whether inside a function.

    ``from a import b`` yields ``a.b``, since b may be a module.
    """

    def visit(node: ast.AST, in_function: bool) -> Iterator[tuple[str, bool]]:
        if isinstance(node, ast.Import):
            yield from ((alias.name, in_function) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            yield from ((f"{base}.{alias.name}", in_function) for alias in node.names)
        in_function |= isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, in_function)

    return visit(ast.parse(source), False)


def later_chapters(source: str, package: str) -> set[str]:
    """Return the chapters that a file of `package` imports though they come later in the book."""
    later = SLUGS[SLUGS.index(package.split(".")[1]) + 1 :]
    parts = [name.split(".") for name, _ in imports(source, package)]
    return {p[1] for p in parts if p[0] == "bigmodel_edu" and len(p) > 1 and p[1] in later}


def foreign_to_a_reference(source: str, package: str) -> set[str]:
    """Return what a reference imports beyond NumPy, the contract, and other references."""
    return {
        name
        for name, in_function in imports(source, package)
        if not _is_allowed(name.split("."), in_function)
    }


def _is_allowed(parts: list[str], in_function: bool) -> bool:
    if parts[0] == "bigmodel_edu":
        contract = parts[1:2] in (["layer"], ["errors"])
        return contract or (parts[1] in SLUGS and parts[2:3] == ["reference"])
    special = parts[:2] == ["scipy", "special"] or parts[:3] == ["cupyx", "scipy", "special"]
    return parts[0] in {"numpy", *sys.stdlib_module_names} or (special and in_function)


def package_of(path: Path) -> str:
    return ".".join(("bigmodel_edu", *path.relative_to(PACKAGE).parts[:-1]))


def sources(pattern: str) -> list:
    paths = [path for slug in WRITTEN for path in sorted((PACKAGE / slug).glob(pattern))]
    return [pytest.param(p, id=p.relative_to(PACKAGE).as_posix()) for p in paths]


# From the ground up: what stands on one floor may import from its own and from those below. That a
# chapter imports earlier chapters only is tested further down.
FLOORS = (
    {"errors", "threads"},
    {"exercise", "layer", "plotting"},
    {"cuda", "data", "diagrams", "training"},
    {"components"},
    set(SLUGS),
    {"catalogue", "parity"},
    {"bench", "labs", "places"},
    {"jupyter"},
    {"course", "doctor"},
    {"cli"},
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}


def module_of(path: Path) -> str:
    return f"{package_of(path)}.{path.stem}".removesuffix(".__init__")


MODULES = {module_of(path): path for path in PACKAGE.rglob("*.py")}


def imported_modules(path: Path) -> set[str]:
    """The modules of the book that a file imports, inside functions too; not its own package."""
    found = set()
    for name, _ in imports(path.read_text(encoding="utf-8"), package_of(path)):
        while name and name not in MODULES:
            name = name.rpartition(".")[0]
        found.add(name)
    return found - {"", "bigmodel_edu", module_of(path)}


def upward(module: str, imported: set[str]) -> set[str]:
    """Those of the imported modules that stand on a higher floor."""
    own = FLOOR[module.split(".")[1]]
    return {name for name in imported if FLOOR[name.split(".")[1]] > own}


def test_no_modules_import_each_other_in_a_circle():
    tuple(TopologicalSorter({m: imported_modules(p) for m, p in MODULES.items()}).static_order())


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {"bigmodel_edu"}))
def test_no_arrow_points_upward(module):
    assert not upward(module, imported_modules(MODULES[module]))


def test_an_arrow_upward_is_noticed():
    assert upward("bigmodel_edu.parity", {"bigmodel_edu.components", "bigmodel_edu.labs"}) == {
        "bigmodel_edu.labs"
    }


@pytest.mark.parametrize("path", sources("**/*.py"))
def test_no_chapter_imports_a_later_one(path):
    assert not later_chapters(path.read_text(encoding="utf-8"), package_of(path))


@pytest.mark.parametrize("path", sources("reference.py") + sources("reference/**/*.py"))
def test_references_import_only_numpy_and_each_other(path):
    assert not foreign_to_a_reference(path.read_text(encoding="utf-8"), package_of(path))


def test_every_written_chapter_has_a_reference():
    found = sources("reference.py") + sources("reference/__init__.py")
    assert len(found) == len(WRITTEN) >= 1


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from bigmodel_edu.gan.reference import Generator", {"gan"}),
        ("from bigmodel_edu import transformer", {"transformer"}),
        ("import bigmodel_edu.chatbots", {"chatbots"}),
        ("from ..gan import reference", {"gan"}),
        ("def f():\n    from .. import nlp", {"nlp"}),
        ("from bigmodel_edu.neural_nets.reference import Linear", set()),
        ("from . import reference\nfrom bigmodel_edu.layer import Layer\nimport torch", set()),
    ],
)
def test_later_chapters_are_noticed(source, found):
    assert later_chapters(source, "bigmodel_edu.lstm") == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import torch", {"torch"}),
        ("from scipy.special import erf", {"scipy.special.erf"}),
        ("def f():\n    from scipy.stats import norm", {"scipy.stats.norm"}),
        ("from bigmodel_edu import parity", {"bigmodel_edu.parity"}),
        ("from ..training import Trainer", {"bigmodel_edu.lstm.training.Trainer"}),
        ("def f():\n    from scipy.special import erf", set()),
        ("def f():\n    from cupyx.scipy.special import erf", set()),
        ("from .linear import Linear\nfrom math import pi\nimport numpy as np", set()),
        ("from bigmodel_edu.neural_nets.reference import Linear", set()),
        ("from bigmodel_edu.layer import Layer", set()),
    ],
)
def test_foreign_imports_are_noticed(source, found):
    assert foreign_to_a_reference(source, "bigmodel_edu.lstm.reference") == found
