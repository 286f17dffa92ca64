"""What holds for every exercise of every chapter, so that a reader can trust its verdicts."""

import ast
import copy
import functools
import inspect
import itertools
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bigmodel_edu import catalogue
from bigmodel_edu.course import wire
from bigmodel_edu.labs import Case, CheckFailed, Exercise, check
from bigmodel_edu.labs.differences import changed

EXERCISES = list(catalogue.exercises().values())
PACKAGE = Path(catalogue.__file__).parent
MUTABLE = (np.ndarray, list, dict)


def arguments(exercise: Exercise, case: Case) -> dict:
    return inspect.signature(exercise.reference).bind(*case.args, **case.kwargs).arguments


# Verdicts


def raising(*args, **kwargs):
    raise NotImplementedError


def dots(*args, **kwargs): ...


def returning_none(*args, **kwargs):
    return None


@pytest.mark.parametrize("stub", [raising, dots, returning_none])
def test_an_untouched_stub_is_not_attempted(exercise, stub):
    result = check(exercise, stub, seed=0)
    assert (result.status, result.points, bool(result)) == ("not attempted", 0, False)
    assert "missing" not in result.message  # an empty stub is no forgotten return


def test_an_answer_that_changes_its_inputs_is_caught(exercise, is_project, cases):
    if is_project:  # without training: whatever is handed in here is right
        exercise = replace(
            exercise, reference=takes(exercise), judge=lambda *_: None, judge_all=None
        )

    @functools.wraps(exercise.reference)
    def spoiling(*args, **kwargs):
        answer = exercise.reference(*copy.deepcopy(args), **copy.deepcopy(kwargs))
        for value in (*args, *kwargs.values()):
            spoil(value)
        return answer

    given = arguments(exercise, cases(0)[0])
    names = [f"`{name}`" for name, value in given.items() if isinstance(value, MUTABLE)]
    if not names:
        pytest.skip("takes nothing that could be changed")
    with np.errstate(all="ignore"), pytest.raises(CheckFailed) as caught:
        check(exercise, spoiling, seed=0)
    message = caught.value.result.message
    assert f"the function changes its input {' and '.join(names)}" in message


def takes(exercise):
    """A function that takes what the exercise's does and answers at once."""

    @functools.wraps(exercise.reference)
    def answer(*args, **kwargs):
        return "an answer"

    return answer


def spoil(value) -> None:
    match value:
        case np.ndarray(dtype=np.dtypes.BoolDType()):
            value ^= True
        case np.ndarray():
            value += 1
        case list():
            value.append(value[0])
        case dict():
            value["spoilt"] = []


# Cases


def test_a_seed_repeats_its_cases(exercise, cases):
    first, again = (cases(7) for _ in range(2))
    assert not changed([case.args for case in first], [case.args for case in again])
    assert [case.note for case in first] == [case.note for case in again]


def test_cases_vary_from_seed_to_seed(exercise, cases):
    drawn = [[case.args for case in cases(seed)] for seed in range(3)]
    for one, other in itertools.combinations(drawn, 2):
        assert changed(one, other), "an answer could be learnt by heart"


def test_every_array_comes_in_more_than_one_length(exercise, is_project, cases):
    lengths = defaultdict(set)
    for case in cases(0):
        for name, value in arguments(exercise, case).items():
            if isinstance(value, np.ndarray):
                lengths[name].add(value.shape[:1])
    if is_project:
        pytest.skip("a project trains on a data set of a fixed size")
    constant = [name for name, seen in lengths.items() if len(seen) == 1]
    assert not constant, "an answer with that size written into it would pass"


# What a course grades in a process that does not know the book


def test_questions_and_answers_travel_where_it_is_gradable(exercise, is_project, cases):
    if not exercise.gradable:
        assert is_project
        return
    for case in cases(0):
        wire.pack((case.args, dict(case.kwargs)))
        wire.pack(exercise.reference(*copy.deepcopy(case.args), **copy.deepcopy(case.kwargs)))


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*/given.py")), ids=lambda p: p.parent.name)
def test_what_is_given_needs_numpy_only(path):
    imports = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Import)]
    froms = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)]
    names = [alias.name for node in imports for alias in node.names]
    assert {*names, *(node.module for node in froms)} <= {"numpy", "dataclasses"}
    assert not any(node.level for node in froms)


# What a reader is told


def test_it_says_enough(exercise):
    assert len(exercise.hints) >= 3
    assert len(exercise.mistakes) >= 2
    texts = [exercise.title, *exercise.hints, *(mistake.message for mistake in exercise.mistakes)]
    assert all(text == text.strip() and text for text in texts)
    assert len(set(exercise.hints)) == len(exercise.hints)
    assert all(mistake.message.endswith((".", "!", "?")) for mistake in exercise.mistakes)


def test_its_name_and_points_are_sensible(exercise):
    chapter, _, own_name = exercise.name.partition(".")
    assert chapter == exercise.chapter
    assert own_name.isidentifier()
    assert own_name == exercise.reference.__name__
    assert 1 <= exercise.stars <= 3
    assert exercise.stars - 1 <= exercise.points <= 5


def test_names_and_titles_are_unique():
    for values in ([e.name for e in EXERCISES], [e.title.casefold() for e in EXERCISES]):
        assert len(set(values)) == len(values)


@pytest.mark.parametrize("chapter", catalogue.written_chapters(), ids=lambda chapter: chapter.slug)
def test_a_chapter_has_enough_exercises_graded_from_one_star_to_three(chapter):
    own = [exercise for exercise in EXERCISES if exercise.chapter == chapter.slug]
    assert len(own) >= (10 if chapter.number == 1 else 8)
    points = {s: [e.points for e in own if e.stars == s] for s in (1, 2, 3)}
    assert all(points.values())
    assert max(points[1]) <= min(points[2])
    assert max(points[2]) <= min(points[3]), "a harder exercise is worth no less"
