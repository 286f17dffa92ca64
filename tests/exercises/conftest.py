"""Every exercise, and its answer from the solutions."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from time import process_time

import numpy as np
import pytest

from bigmodel_edu import catalogue
from bigmodel_edu.course import answers
from bigmodel_edu.labs import Case, Exercise

BOOK = Path(__file__).parents[2]
PROJECT_POINTS = 5
"""Who gives five points asks for a trained model, which takes seconds and not microseconds."""
PROJECT_SHARE = 400
"""A project gets one seed where other exercises get so many."""
ENOUGH_SEEDS = 100
"""So many seeds an exercise gets, however long they take."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `exercise`, and perhaps `mistake`, meets every one of the book."""
    exercises = list(catalogue.exercises().values())
    if "mistake" in metafunc.fixturenames:
        numbered = [(e, m, n) for e in exercises for n, m in enumerate(e.mistakes, start=1)]
        pairs = [pytest.param(e, m, id=f"{e.name}-{n}") for e, m, n in numbered]
        metafunc.parametrize(("exercise", "mistake"), pairs)
    elif "exercise" in metafunc.fixturenames:
        metafunc.parametrize("exercise", exercises, ids=lambda exercise: exercise.name)


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """A progress file of the test's own."""
    monkeypatch.setenv("BIGMODEL_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("BIGMODEL_CHECK_LOG", raising=False)


@pytest.fixture
def is_project(exercise: Exercise) -> bool:
    return exercise.points >= PROJECT_POINTS


@pytest.fixture
def seeds(exercise: Exercise, is_project: bool, pytestconfig: pytest.Config) -> range:
    """The seeds that this run is about: see `--seeds` and `--first-seed`."""
    count, first = pytestconfig.getoption("seeds"), pytestconfig.getoption("first_seed")
    return range(first, first + (-(-count // PROJECT_SHARE) if is_project else count))


@pytest.fixture
def in_time(pytestconfig: pytest.Config):
    """Return `in_time(seeds)`: as many of them as fit into `--seconds`, though a hundred."""
    seconds = pytestconfig.getoption("seconds")

    def in_time(seeds: range) -> Iterator[int]:
        end = process_time() + seconds
        for n, seed in enumerate(seeds):
            if n >= ENOUGH_SEEDS and process_time() > end:
                return
            yield seed

    return in_time


@pytest.fixture
def answer(exercise: Exercise) -> str:
    """The source of the exercise's answer in the solutions, with all that it needs."""
    notebook = next(c.notebook for c in catalogue.CHAPTERS if c.slug == exercise.chapter)
    found = answers.answer(_text(notebook), True, exercise.function)
    assert found.found, f"the solutions do not define {exercise.function}: {found.problem}"
    return found.source


@cache
def _text(notebook: str) -> bytes:
    return (BOOK / "solutions" / f"{notebook}.md").read_bytes()


@pytest.fixture
def cases(exercise: Exercise):
    """Return `cases(seed)`: those that a check with that seed draws."""

    def cases(seed: int) -> list[Case]:
        return list(exercise.cases(np.random.default_rng(seed)))

    return cases
