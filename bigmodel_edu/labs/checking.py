"""`check`: run a reader's function on fresh random cases and answer in plain words."""

import dis
import inspect
import json
import linecache
import os
import random
import secrets
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bigmodel_edu.errors import BookError
from bigmodel_edu.exercise import Case, Exercise
from bigmodel_edu.labs import store
from bigmodel_edu.labs.attempts import (
    Attempt,
    Failure,
    call_in_words,
    explain,
    is_blank,
    is_untouched,
    judge_all,
    named_arguments,
    recognise,
    run,
    signature_of,
)
from bigmodel_edu.labs.differences import describe
from bigmodel_edu.labs.display import in_kernel, say
from bigmodel_edu.labs.lookup import exercise_named, remember
from bigmodel_edu.labs.results import FAILED, NOT_ATTEMPTED, PASSED, CheckFailed, CheckResult

LOG_VARIABLE = "BIGMODEL_CHECK_LOG"


@contextmanager
def _generators_kept() -> Iterator[None]:
    """Give the generators that a program shares, and PyTorch's threads, back as they were.

    A function that seeds them would change what the cells below draw, so that a chapter would show
    other numbers to who has solved an exercise.
    """
    torch = sys.modules.get("torch")
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    pytorch = (torch.get_rng_state(), torch.get_num_threads()) if torch else ()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        if pytorch:
            torch.set_rng_state(pytorch[0])
            torch.set_num_threads(pytorch[1])


@_generators_kept()
def check(
    exercise: str | Exercise, function: Callable, /, *, seed: int | None = None
) -> CheckResult:
    """Check `function` against an exercise on random cases, fresh at every call.

    exercise: its name, as in "neural_nets.softmax", or the `Exercise` itself.
    seed: repeats the cases of an earlier check; a failure names its seed.

    Right or not attempted, the result is shown and returned; wrong raises `CheckFailed`.
    Either way the outcome goes to the progress file and, when the environment variable
    BIGMODEL_CHECK_LOG names a file, into that as one line of JSON.
    """
    exercise = _find(exercise)
    if is_blank(function):
        return _not_attempted(exercise, "")
    seed = secrets.randbelow(10**6) if seed is None else seed
    cases = list(exercise.cases(np.random.default_rng(seed)))
    if failure := _wrong_callable(exercise, function, cases):
        raise _failed(exercise, failure)
    attempts = [run(function, case) for case in cases]
    if all(is_untouched(attempt) for attempt in attempts):
        forgotten = attempts[0].error is None and not _has_empty_body(function)
        return _not_attempted(exercise, " It returned nothing: is a `return` missing?" * forgotten)
    verdicts = judge_all(exercise, cases, attempts)
    wrong = [i for i, verdict in enumerate(verdicts) if verdict]
    if not wrong:
        return _passed(exercise)
    failure = _explain(exercise, function, cases, attempts, verdicts, seed)
    raise _failed(exercise, failure) from attempts[wrong[0]].error


# What came in


def _find(exercise: str | Exercise) -> Exercise:
    if isinstance(exercise, Exercise):
        remember(exercise)
        return exercise
    if not isinstance(exercise, str):
        raise BookError(
            "check expects the exercise's name first and your function second, as in "
            f'check("neural_nets.softmax", softmax); the first was {describe(exercise)}.'
        )
    return exercise_named(exercise)


def _wrong_callable(exercise: Exercise, function: Any, cases: Sequence[Case]) -> Failure | None:
    """Say so when `function` cannot be called as the exercise's cases call it."""
    expected = f"{exercise.function}{_parameters(exercise.reference)}"
    if not callable(function):
        return Failure(f"A function `{expected}` was expected; what came is {describe(function)}.")
    signature = signature_of(function)
    if signature is None:
        return None
    for case in cases:
        try:
            signature.bind(*case.args, **case.kwargs)
        except TypeError as reason:
            return Failure(
                f"Your function takes `{_parameters(function)}`, but it is called as "
                f"`{expected}`: {reason}."
            )
    return None


def _parameters(function: Callable) -> str:
    signature = signature_of(function)
    if signature is None:
        return "(...)"
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


def _has_empty_body(function: Callable) -> bool:
    """Whether a function does nothing at all: its body is a docstring, `...`, `pass`, or a
    `return` of a constant."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    idle = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}
    return code is not None and {op.opname for op in dis.get_instructions(code)} <= idle


# Explaining a wrong answer


def _explain(
    exercise: Exercise,
    function: Callable,
    cases: Sequence[Case],
    attempts: Sequence[Attempt],
    verdicts: Sequence[Failure | None],
    seed: int,
) -> Failure:
    """The message for the first wrong case, and how to see it again."""
    first = next(i for i, verdict in enumerate(verdicts) if verdict)
    arguments = named_arguments(function, cases[first].args, dict(cases[first].kwargs))
    failure = explain(
        cases,
        verdicts,
        recognise(exercise, cases, attempts, verdicts),
        called=call_in_words(_name(function), arguments),
        line=_line_of(attempts[first].error, function),
    )
    again = ("again", f'check("{exercise.name}", {_name(function)}, seed={seed})')
    return Failure(failure.message, (*failure.details, again))


def _name(function: Callable) -> str:
    name = getattr(function, "__name__", "")
    return name if name.isidentifier() else "your_function"


def _line_of(error: Exception | None, function: Callable) -> str:
    """Where in the reader's own code an exception arose: "line 3: return z / total"."""
    if error is None:
        return ""
    code = getattr(inspect.unwrap(function), "__code__", None)
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is _run's
    own = [f for f in frames if code and f.filename == code.co_filename] or frames[:1]
    if not own:
        return ""
    source = linecache.getline(own[-1].filename, own[-1].lineno).strip()
    return f"{own[-1].lineno} in {own[-1].name}" + f": {source}" * bool(source)


# Outcomes


def _passed(exercise: Exercise) -> CheckResult:
    result = CheckResult(exercise.name, exercise.title, PASSED, exercise.points, exercise.points)
    _keep(result)
    result.show()
    return result


def _not_attempted(exercise: Exercise, remark: str) -> CheckResult:
    message = (
        f"Not attempted yet.{remark} Write your answer in the cell above and run both again; "
        f'`hint("{exercise.name}")` gives a hint.'
    )
    result = CheckResult(exercise.name, exercise.title, NOT_ATTEMPTED, 0, exercise.points, message)
    _keep(result)
    result.show()
    return result


def _failed(exercise: Exercise, failure: Failure) -> CheckFailed:
    result = CheckResult(
        exercise.name,
        exercise.title,
        FAILED,
        0,
        exercise.points,
        failure.message,
        failure.details,
    )
    _keep(result)
    if in_kernel():
        result.show()
    return CheckFailed(result)


def _keep(result: CheckResult) -> None:
    store.record(result.exercise, result.status, result.points)
    if path := os.environ.get(LOG_VARIABLE):
        entry = {key: asdict(result)[key] for key in ("exercise", "status", "points")}
        entry["message"] = "" if result.status == PASSED else str(result)
        try:
            with Path(path).open("a", encoding="utf-8") as log:
                log.write(json.dumps(entry) + "\n")
        except OSError as error:
            say(f"The check's outcome could not be written to {path} ({error.strerror}).")
