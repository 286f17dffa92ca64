"""Every chapter as a reader first opens it; apart from test_filled.py, to run beside it."""

from pathlib import Path

import pytest

from bigmodel_edu import catalogue
from bigmodel_edu.labs.notebooks import read_notebook

CHAPTERS = Path(__file__).parents[2] / "chapters"
NUMBERED = {f"{chapter.notebook}.md" for chapter in catalogue.CHAPTERS}
OTHERS = sorted(path for path in CHAPTERS.glob("*.md") if path.name not in NUMBERED)


def test_an_untouched_chapter_runs_and_nothing_counts_as_attempted(untouched, exercises, nbval):
    assert nbval(untouched) == dict.fromkeys(exercises, "not attempted")


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.stem)
def test_a_page_without_exercises_runs(path, nbval):
    nbval(read_notebook(path))
