"""Executed notebooks, kept: the cells of a chapter run once, for the tests and for the web edition.

What is kept is named by the notebook's text, the package's sources and the versions of what it
depends on, so that it outlives none of them. What only tests or the site need does not count: it is
installed between the two.
"""

import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import requires, version
from pathlib import Path

import nbformat
from packaging.requirements import Requirement

import bigmodel_edu
from bigmodel_edu.labs.files import write_atomically
from bigmodel_edu.labs.notebooks import Executed, run_whole

PACKAGE = Path(bigmodel_edu.__file__).parent
KEPT = Path("_build", "executed")  # inside the book's folder; git ignores it
SOURCES = {".cu", ".cuh", ".h", ".json", ".py"}


def run_and_keep(path: Path) -> Executed:
    """Run a notebook of the book, whatever is kept, and keep it with its outputs.

    Raises CellRaised, and keeps nothing, when a cell raises.
    """
    executed = run_whole(path)
    kept = _kept(path)
    for older in kept.parent.glob(f"{path.parent.name}-{path.stem}-*.ipynb"):
        older.unlink()
    kept.parent.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.from_dict(executed.notebook)
    notebook.metadata["statuses"] = executed.statuses
    write_atomically(kept, nbformat.writes(notebook))
    return executed


def kept_or_run(path: Path) -> Executed:
    """Return a notebook of the book with its outputs; run it where nothing is kept."""
    kept = _kept(path)
    if not kept.exists():
        return run_and_keep(path)
    notebook = nbformat.read(kept, as_version=4)
    return Executed(notebook, notebook.metadata.pop("statuses"))


def _kept(path: Path) -> Path:
    """Where the executed notebook of `chapters/01_neural_nets.md`, as it is now, is kept."""
    path = path.resolve()
    key = hashlib.sha256(path.read_bytes() + _environment()).hexdigest()[:16]
    return path.parents[1] / KEPT / f"{path.parent.name}-{path.stem}-{key}.ipynb"


@cache
def _environment() -> bytes:
    """A digest of all that a notebook's cells run with."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(path for path in PACKAGE.rglob("*") if path.suffix in SOURCES):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + path.read_bytes())
    for dependency in _dependencies():
        digest.update(dependency.encode())
    return digest.digest()


def _dependencies() -> Iterator[str]:
    """What the package needs, without its extras, and the version that is installed."""
    for line in requires("bigmodel-edu") or ():
        needed = Requirement(line)
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            yield f"{needed.name} {version(needed.name)}"
