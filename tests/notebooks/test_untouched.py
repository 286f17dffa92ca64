"""Every chapter as a reader first opens it, run once; the web edition is built from what it shows.

Apart from test_answers.py, to run beside it.
"""

from pathlib import Path

import pytest

from bigmodel_edu import catalogue
from bigmodel_edu.labs.executed import run_and_keep
from bigmodel_edu.labs.notebooks import CellRaised

CHAPTERS = Path(__file__).parents[2] / "chapters"
NUMBERED = {f"{chapter.notebook}.md" for chapter in catalogue.CHAPTERS}
OTHERS = sorted(path for path in CHAPTERS.glob("*.md") if path.name not in NUMBERED)


@pytest.fixture
def run(private_environment, monkeypatch):
    """Return `run(path)`: the last status of each check in it; the test fails if a cell does."""
    monkeypatch.delenv("MPLBACKEND", raising=False)
    for name, value in private_environment.items():
        monkeypatch.setenv(name, value)

    def run(path: Path) -> dict[str, str]:
        try:
            return run_and_keep(path).statuses
        except CellRaised as raised:
            pytest.fail("\n".join([str(raised), *raised.__notes__]), pytrace=False)

    return run


def test_an_untouched_chapter_runs_and_nothing_counts_as_attempted(chapter_path, exercises, run):
    assert run(chapter_path) == dict.fromkeys(exercises, "not attempted")


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.stem)
def test_a_page_without_exercises_runs(path, run):
    run(path)
