"""What a function did with an exercise's cases, wherever it ran, and what is wrong with it.

`check` runs a reader's function in the reader's own process, a course's grader in a confined one;
both put what came of it into an `Attempt` for each case and ask here.
"""

import copy
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.labs.differences import changed, compare, describe


@dataclass(frozen=True)
class Attempt:
    """What a function did with one case: an answer or an error, and the arguments it changed."""

    answer: Any = None
    error: Exception | None = None
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """What is wrong with an attempt, in words, and labelled facts about it."""

    message: str
    details: tuple[tuple[str, str], ...] = ()


# Running and judging


def run(function: Callable, case: Case) -> Attempt:
    """Call `function` on its own copy of the case's arguments."""
    args, kwargs = copy.deepcopy((case.args, dict(case.kwargs)))
    try:
        answer = function(*args, **kwargs)
    except Exception as error:  # whatever the reader's code raises is theirs to read about
        return Attempt(error=error)
    before = named_arguments(function, case.args, case.kwargs)
    after = named_arguments(function, args, kwargs)
    return Attempt(answer, changed=tuple(n for n in before if changed(before[n], after[n])))


def named_arguments(function: Callable, args: tuple, kwargs: dict) -> dict[str, Any]:
    """Return the arguments of a call by the names that `function` gives them."""
    if signature := signature_of(function):
        return dict(signature.bind(*args, **kwargs).arguments)
    return {f"argument {i + 1}": arg for i, arg in enumerate(args)} | dict(kwargs)


def judge(
    exercise: Exercise, case: Case, attempt: Attempt, reference: Attempt | None = None
) -> Failure | None:
    """What is wrong with one attempt, None when nothing is.

    reference: what the exercise's reference did with the case, where it has been run already.
    """
    if attempt.error is not None:
        return Failure(f"It raised {type(attempt.error).__name__}: {attempt.error}")
    if is_blank(attempt.answer):
        return Failure("It returned None here: is a `return` missing on one of its paths?")
    if exercise.judge:
        failure = _ask_judge(exercise, case, attempt)
    else:
        reference = reference or run(exercise.reference, case)
        failure = _compare_with_reference(exercise, attempt, reference)
    if attempt.changed and failure is None:
        names = " and ".join(f"`{name}`" for name in attempt.changed)
        return Failure(
            f"The answer is right, but the function changes its input {names}: work on a copy, "
            "since the caller still needs the original. (Adding and taking away again does not "
            "restore a float exactly.)"
        )
    return failure


def judge_all(
    exercise: Exercise, cases: Sequence[Case], attempts: Sequence[Attempt]
) -> list[Failure | None]:
    """What is wrong with each attempt, or, if nothing is, with all of them together."""
    verdicts = [judge(exercise, *pair) for pair in zip(cases, attempts, strict=True)]
    if exercise.judge_all and not any(verdicts):
        answers = [attempt.answer for attempt in attempts]
        if verdict := exercise.judge_all(cases, answers):
            return [Failure(verdict)] * len(cases)
    return verdicts


def _ask_judge(exercise: Exercise, case: Case, attempt: Attempt) -> Failure | None:
    yours = (("yours", describe(attempt.answer)),)
    try:
        verdict = exercise.judge(copy.deepcopy(case), attempt.answer)
    except Exception as error:  # the judge was not made for an answer of this type
        what = f"{type(error).__name__}: {error}"
        return Failure(f"The answer has a form that cannot be judged ({what}).", yours)
    return None if verdict is None else Failure(verdict, yours)


def _compare_with_reference(
    exercise: Exercise, attempt: Attempt, expected: Attempt
) -> Failure | None:
    if expected.error is not None:
        raise expected.error  # a fault of the book, not of the reader
    difference = compare(attempt.answer, expected.answer, exercise.tolerance, names=exercise.parts)
    if difference is None:
        return None
    details = [("yours", difference.yours), ("expected", difference.expected)]
    if difference.yours == difference.expected:
        details = [("yours", f"{difference.yours}, as expected")]
    if difference.where:
        details.append(("worst", difference.where))
    return Failure(difference.sentence, tuple(details))


# Attempts without an answer


def is_blank(answer: Any) -> bool:
    """None, `...`, or a tuple of nothing else: what an untouched stub returns."""
    if isinstance(answer, tuple) and answer:
        return all(is_blank(part) for part in answer)
    return answer is None or answer is ...


def is_untouched(attempt: Attempt) -> bool:
    """Whether a function did nothing yet: it raised NotImplementedError or returned a blank."""
    if attempt.error is not None:
        return isinstance(attempt.error, NotImplementedError)
    return is_blank(attempt.answer)


def signature_of(function: Callable) -> inspect.Signature | None:
    """The parameters of a function, None where it does not tell."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # some functions written in C do not tell
        return None


# Explaining what is wrong


def explain(
    cases: Sequence[Case],
    verdicts: Sequence[Failure | None],
    mistake: Mistake | None,
    called: str,
    line: str = "",
) -> Failure:
    """The message about the first wrong case: a known mistake first, then the facts.

    called: that case's call in words, see `call_in_words`.
    line: where in the reader's code an error arose.
    """
    first = next(i for i, verdict in enumerate(verdicts) if verdict)
    failure, case = verdicts[first], cases[first]
    message = failure.message
    which = f"{first + 1} of {len(cases)}" + f": {case.note}" * bool(case.note)
    if len(cases) > 1 and all(verdict is failure for verdict in verdicts):
        which = f"all {len(cases)} together"
    details = [("case", which), ("called", called)]
    if mistake:
        message = mistake.message
        details.append(("seen", failure.message))
    elif sizes := batch_size_advice(cases, verdicts):
        message = f"{failure.message} {sizes}"
    if line:
        details.append(("line", line))
    return Failure(message, (*details, *failure.details))


def call_in_words(name: str, arguments: Mapping[str, Any]) -> str:
    """The call and what it gets, a line each: `softmax(z)`, `z: float64 array of shape (5, 7)`."""
    lines = [f"{key}: {describe(value)}" for key, value in arguments.items()]
    return "\n".join([f"{name}({', '.join(arguments)})", *lines])


# Recognising what is wrong


def recognise(
    exercise: Exercise,
    cases: Sequence[Case],
    attempts: Sequence[Attempt],
    verdicts: Sequence[Failure | None],
) -> Mistake | None:
    """The known mistake that does on every case what the reader's function did."""
    for mistake in exercise.mistakes:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = [run(mistake.function, case) for case in cases]
            if all(
                _alike(exercise, *quadruple)
                for quadruple in zip(cases, attempts, theirs, verdicts, strict=True)
            ):
                return mistake
    return None


def _alike(
    exercise: Exercise, case: Case, mine: Attempt, theirs: Attempt, verdict: Failure | None
) -> bool:
    if mine.error is not None or theirs.error is not None:
        return repr(mine.error) == repr(theirs.error)
    if compare(mine.answer, theirs.answer, exercise.tolerance) is None:
        return True
    if exercise.judge is None:
        return False
    # Answers made of objects that know no ==, such as graph nodes: the judge's words decide
    return not _is_comparable(mine.answer) and verdict == judge(exercise, case, theirs)


def _is_comparable(answer: Any) -> bool:
    """Whether an answer consists of things that `compare` compares by value."""
    if callable(answer):  # a function, or an object that acts as one, is what it does
        return False
    if isinstance(answer, dict):
        answer = tuple(answer.values())
    if isinstance(answer, (tuple, list)):
        return all(map(_is_comparable, answer))
    return type(answer).__eq__ is not object.__eq__


def batch_size_advice(cases: Sequence[Case], verdicts: Sequence[Failure | None]) -> str:
    """Say so when an answer is right for one batch and wrong for another of the same rows.

    Only there can nothing but the size be the reason. Cases that merely differ in size may fail
    for something else in them, and what is longest in an argument need not be a batch.
    """
    right = {id(case) for case, verdict in zip(cases, verdicts, strict=True) if not verdict}
    for case, verdict in zip(cases, verdicts, strict=True):
        if verdict and id(case.rows_of) in right:
            return _about_batches(*_batch_sizes(case.rows_of, case))
    return ""


def _about_batches(right: int, wrong: int) -> str:
    if right == 1:
        return (
            f"It is right for a batch of one and wrong for the same row {wrong} times: look at "
            "what is summed, averaged or broadcast over the batch."
        )
    return (
        f"It is right for a batch of {right} and wrong for a batch of {wrong} of the same rows: "
        "is a size written into your code?"
    )


def _batch_sizes(*cases: Case) -> tuple[int, int]:
    """The lengths of the first array that is longer in one case than in the other."""
    arrays = zip(*([a for a in c.args if isinstance(a, np.ndarray)] for c in cases), strict=True)
    return next((len(a), len(b)) for a, b in arrays if a.shape != b.shape)
