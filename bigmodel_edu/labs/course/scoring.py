"""What answers are worth, in the grader and in nbgrader alike.

It is imported wherever a student's notebook is autograded, so it is quick to load, on any system.
"""

import contextlib
import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from bigmodel_edu import catalogue
from bigmodel_edu.labs.course import wire
from bigmodel_edu.labs.course.forms import in_form, is_single
from bigmodel_edu.labs.exercise import Case, Exercise
from bigmodel_edu.labs.judging import Attempt, judge, run

SINGLE = 1000 * float(np.finfo(np.float32).eps)
"""Largest accepted error of a float32 answer, as in `check`."""


def points_earned(name: str, function: Callable, of: float, seed: int) -> float:
    """Return what `function` earns in an exercise, of so many points: what `lab grade` would give.

    Its prints and warnings are swallowed: nbgrader gives no points to a cell that warns.
    """
    exercise = catalogue.exercise(name)
    cases = list(exercise.cases(np.random.default_rng(seed)))
    with (
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        return of * share(exercise, cases, [run(function, case) for case in cases])


def share(exercise: Exercise, cases: Sequence[Case], attempts: Sequence[Attempt]) -> float:
    """Return the share of the cases that are answered right, from 0 to 1.

    It is 0 where only cases are right that are the same for every seed: these can be answered
    without having understood anything. A list for an array, or float32 for float64, costs nothing.
    """
    expected = [run(exercise.reference, case).answer for case in cases]
    pairs = [(a.answer, e) for a, e in zip(attempts, expected, strict=True)]
    if any(is_single(answer) and not is_single(e) for answer, e in pairs):
        exercise = replace(exercise, tolerance=max(exercise.tolerance, SINGLE))
    formed = [replace(a, answer=formed_like(*p)) for a, p in zip(attempts, pairs, strict=True)]
    tried = zip(cases, formed, strict=True)
    right = [case for case, attempt in tried if _is_right(exercise, case, attempt)]
    if len(right) < len(cases) and all(packed(case) in fixed_cases(exercise) for case in right):
        return 0.0
    return len(right) / len(cases)


def _is_right(exercise: Exercise, case: Case, attempt: Attempt) -> bool:
    try:
        return judge(exercise, case, attempt) is None
    except Exception:  # answers of forms that nobody thought of
        return False


def formed_like(answer: Any, expected: Any) -> Any:
    """Return `answer` in the form of `expected`, as it is where that cannot be done."""
    try:
        return in_form(answer, expected)
    except Exception:  # as in _is_right: then it stays as it is
        return answer


@cache
def fixed_cases(exercise: Exercise) -> frozenset[bytes]:
    """Return the cases, packed, that are the same for every seed, and could be learnt by heart."""
    one, other = (exercise.cases(np.random.default_rng(seed)) for seed in (0, 1))
    return frozenset(map(packed, one)) & frozenset(map(packed, other))


def packed(case: Case) -> bytes:
    """Return a case as bytes, to compare it."""
    return wire.pack((case.args, dict(case.kwargs)))
