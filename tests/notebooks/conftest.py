"""The book's notebooks, and running them as tests: nbval, in a process and a folder of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from bigmodel_edu import catalogue
from bigmodel_edu.catalogue import Chapter
from bigmodel_edu.labs.checking import LOG_VARIABLE
from bigmodel_edu.labs.notebooks import read_notebook

BOOK = Path(__file__).parents[2]
NBVAL = """
def pytest_collectstart(collector):
    # progress bars and warnings, tables and cards, drawings: all of them vary with versions
    if collector.__class__.__name__ == "IPyNbFile":
        collector.skip_compare += ("stderr", "text/html", "image/svg+xml")
"""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `chapter` meets every chapter whose package exists."""
    if "chapter" in metafunc.fixturenames:
        chapters = catalogue.written_chapters()
        metafunc.parametrize("chapter", chapters, ids=[c.notebook for c in chapters])


@pytest.fixture
def exercises(chapter: Chapter) -> list[str]:
    """The names of the chapter's exercises, in the order of the catalogue."""
    return [e.name for e in catalogue.exercises().values() if e.chapter == chapter.slug]


@pytest.fixture
def chapter_path(chapter: Chapter) -> Path:
    return existing(BOOK / "chapters" / f"{chapter.notebook}.md")


@pytest.fixture
def solutions_path(chapter: Chapter) -> Path:
    return existing(BOOK / "solutions" / f"{chapter.notebook}.md")


@pytest.fixture
def stored_path(solutions_path: Path) -> Path:
    return existing(solutions_path.with_suffix(".ipynb"), "run `make solutions`")


@pytest.fixture
def untouched(chapter_path: Path) -> NotebookNode:
    """The chapter as a reader first opens it."""
    return read_notebook(chapter_path)


@pytest.fixture
def solutions(solutions_path: Path) -> NotebookNode:
    return read_notebook(solutions_path)


@pytest.fixture
def stored(stored_path: Path) -> NotebookNode:
    """The solutions with their outputs."""
    return read_notebook(stored_path)


def existing(path: Path, advice: str = "write it") -> Path:
    if not path.exists():
        pytest.fail(f"{path.relative_to(BOOK)} is missing: {advice}.", pytrace=False)
    return path


@pytest.fixture
def private_environment(tmp_path: Path) -> dict[str, str]:
    """Neither the reader's progress nor the reader's IPython profile."""
    return {
        "BIGMODEL_STATE_DIR": str(tmp_path / "state"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "CUPY_CACHE_DIR": str(tmp_path / "cupy"),
        "PYTHONUTF8": "1",
    }


@pytest.fixture
def nbval(
    tmp_path: Path, private_environment: dict[str, str]
) -> Callable[[NotebookNode], dict[str, str]]:
    """Return `nbval(notebook)`: run it, fail if a cell does, return each check's last status.

    Outputs are compared where the notebook holds any.
    """

    def nbval(notebook: NotebookNode) -> dict[str, str]:
        folder, log = tmp_path / "book", tmp_path / "checks.jsonl"
        folder.mkdir()
        nbformat.write(notebook, folder / "notebook.ipynb", version=4)
        (folder / "conftest.py").write_text(NBVAL, encoding="utf-8")
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        options = ["--nbval-current-env", "--nbval-cell-timeout=900", "-p", "no:cacheprovider"]
        plain = ["-q", "--no-header", "--color=no", "--maxfail=5"]
        # not the options of this run of pytest
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
        inherited.pop("MPLBACKEND", None)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--nbval", *options, *plain, "notebook.ipynb"],
            cwd=folder,
            env=inherited | private_environment | {LOG_VARIABLE: str(log)},
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        if done.returncode:
            pytest.fail(done.stdout + done.stderr, pytrace=False)
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return {entry["exercise"]: entry["status"] for entry in map(json.loads, lines)}

    return nbval
