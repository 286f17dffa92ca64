"""What answers are worth, in the grader and in nbgrader alike.

It is imported wherever a student's notebook is autograded, so it is quick to load, on any system.
"""

import contextlib
import hashlib
import hmac
import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from bigmodel_edu import catalogue
from bigmodel_edu.course import wire
from bigmodel_edu.course.forms import in_form, is_single
from bigmodel_edu.exercise import Case, Exercise
from bigmodel_edu.labs.attempts import Attempt, Failure, judge, run

SINGLE = 1000 * float(np.finfo(np.float32).eps)
"""Largest accepted error of a float32 answer, as in `check`."""


@dataclass(frozen=True)
class Score:
    """How a function did.

    exercise: with the tolerance that its answers were compared with.
    attempts: with answers in the form that was expected.
    failures: what is wrong with each attempt, None where nothing is.
    share: of the cases, right; 0 where only cases are that are the same for every seed, since
        these can be answered without having understood anything.
    """

    exercise: Exercise
    attempts: list[Attempt]
    failures: list[Failure | None]
    share: float


def score(exercise: Exercise, cases: Sequence[Case], attempts: Sequence[Attempt]) -> Score:
    """Compare attempts, which may be fewer than the cases, with the reference.

    A list for an array, or float32 for float64, costs nothing.
    """
    references = [run(exercise.reference, case) for case in cases]
    pairs = list(zip(attempts, references, strict=False))
    if any(is_single(mine.answer) and not is_single(theirs.answer) for mine, theirs in pairs):
        exercise = replace(exercise, tolerance=max(exercise.tolerance, SINGLE))
    formed = [replace(mine, answer=in_form(mine.answer, theirs.answer)) for mine, theirs in pairs]
    rows = zip(cases, formed, references, strict=False)
    failures = [_failure(exercise, *row) for row in rows]
    right = [case for case, failure in zip(cases, failures, strict=False) if not failure]
    share = len(right) / len(cases)
    if share < 1 and all(packed(case) in fixed_cases(exercise) for case in right):
        share = 0.0
    return Score(exercise, formed, failures, share)


class NoNumbers(Exception):
    """An answer that cannot leave its process; the message is what it is."""


def _failure(
    exercise: Exercise, case: Case, attempt: Attempt, reference: Attempt
) -> Failure | None:
    if isinstance(attempt.error, NoNumbers):
        return Failure(f"It returned {attempt.error}.")
    try:
        return judge(exercise, case, attempt, reference)
    except Exception as error:  # answers of forms that nobody thought of
        return Failure(f"The answer has a form that cannot be judged ({type(error).__name__}).")


def points_earned(name: str, function: Callable, of: float, seed: int) -> float:
    """Return what `function` earns in an exercise, of so many points, as `course grade` would.

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
        return of * score(exercise, cases, [run(function, case) for case in cases]).share


def seed_of(secret: str, exercise: str, whose: str) -> int:
    """Return the seed of somebody's cases: nobody without the secret can compute it.

    It is an HMAC-SHA256, of which 16 bytes are taken (RFC 2104).
    """
    digest = hmac.digest(secret.encode(), f"{exercise}\n{whose}".encode(), hashlib.sha256)
    return int.from_bytes(digest[:16])


@cache
def fixed_cases(exercise: Exercise) -> frozenset[bytes]:
    """Return the cases, packed, that are the same for every seed, and could be learnt by heart."""
    one, other = (exercise.cases(np.random.default_rng(seed)) for seed in (0, 1))
    return frozenset(map(packed, one)) & frozenset(map(packed, other))


def packed(case: Case) -> bytes:
    """Return a case as bytes, to compare it."""
    return wire.pack((case.args, dict(case.kwargs)))
