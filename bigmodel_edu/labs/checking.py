"""`check`: run a reader's function on fresh random cases and answer in plain words."""

import copy
import dis
import inspect
import json
import linecache
import os
import secrets
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bigmodel_edu.errors import BookError
from bigmodel_edu.labs import store
from bigmodel_edu.labs.comparing import changed, compare, describe
from bigmodel_edu.labs.display import in_kernel, say
from bigmodel_edu.labs.exercise import Case, Exercise, Mistake
from bigmodel_edu.labs.results import FAILED, NOT_ATTEMPTED, PASSED, CheckFailed, CheckResult

LOG_VARIABLE = "BIGMODEL_CHECK_LOG"


@dataclass(frozen=True)
class _Attempt:
    """What a function did with one case: an answer or an error, and the arguments it changed."""

    answer: Any = None
    error: Exception | None = None
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Failure:
    message: str
    details: tuple[tuple[str, str], ...] = ()


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
    if _is_blank(function):
        return _not_attempted(exercise, "")
    seed = secrets.randbelow(10**6) if seed is None else seed
    cases = list(exercise.cases(np.random.default_rng(seed)))
    if failure := _wrong_callable(exercise, function, cases):
        raise _failed(exercise, failure)
    attempts = [_run(function, case) for case in cases]
    if all(_is_untouched(attempt) for attempt in attempts):
        forgotten = attempts[0].error is None and not _has_empty_body(function)
        return _not_attempted(exercise, " It returned nothing: is a `return` missing?" * forgotten)
    verdicts = [_judge(exercise, *pair) for pair in zip(cases, attempts, strict=True)]
    wrong = [i for i, verdict in enumerate(verdicts) if verdict]
    if not wrong:
        return _passed(exercise)
    first = wrong[0]
    failure = _explain(exercise, function, cases, attempts, verdicts, first, seed)
    raise _failed(exercise, failure) from attempts[first].error


# What came in


def _find(exercise: str | Exercise) -> Exercise:
    from bigmodel_edu import catalogue

    if isinstance(exercise, Exercise):
        catalogue.remember(exercise)
        return exercise
    if not isinstance(exercise, str):
        raise BookError(
            "check expects the exercise's name first and your function second, as in "
            f'check("neural_nets.softmax", softmax); the first was {describe(exercise)}.'
        )
    return catalogue.exercise(exercise)


def _wrong_callable(exercise: Exercise, function: Any, cases: Sequence[Case]) -> _Failure | None:
    """Say so when `function` cannot be called as the exercise's cases call it."""
    expected = f"{exercise.name.rpartition('.')[2]}{_parameters(exercise.reference)}"
    if not callable(function):
        return _Failure(f"A function `{expected}` was expected; what came is {describe(function)}.")
    signature = _signature(function)
    if signature is None:
        return None
    for case in cases:
        try:
            signature.bind(*case.args, **case.kwargs)
        except TypeError as reason:
            return _Failure(
                f"Your function takes `{_parameters(function)}`, but it is called as "
                f"`{expected}`: {reason}."
            )
    return None


def _signature(function: Callable) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # some functions written in C do not tell
        return None


def _parameters(function: Callable) -> str:
    signature = _signature(function)
    if signature is None:
        return "(...)"
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


def _is_blank(answer: Any) -> bool:
    """None, `...`, or a tuple of nothing else: what an untouched stub returns."""
    if isinstance(answer, tuple) and answer:
        return all(_is_blank(part) for part in answer)
    return answer is None or answer is ...


def _is_untouched(attempt: _Attempt) -> bool:
    if attempt.error is not None:
        return isinstance(attempt.error, NotImplementedError)
    return _is_blank(attempt.answer)


def _has_empty_body(function: Callable) -> bool:
    """Whether a function does nothing at all: its body is a docstring, `...`, `pass`, or a
    `return` of a constant."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    idle = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}
    return code is not None and {op.opname for op in dis.get_instructions(code)} <= idle


# Running and judging


def _run(function: Callable, case: Case) -> _Attempt:
    """Call `function` on its own copy of the case's arguments."""
    args, kwargs = copy.deepcopy((case.args, dict(case.kwargs)))
    try:
        answer = function(*args, **kwargs)
    except Exception as error:  # whatever the reader's code raises is theirs to read about
        return _Attempt(error=error)
    before = _named_arguments(function, case.args, case.kwargs)
    after = _named_arguments(function, args, kwargs)
    return _Attempt(answer, changed=tuple(n for n in before if changed(before[n], after[n])))


def _named_arguments(function: Callable, args: tuple, kwargs: dict) -> dict[str, Any]:
    if signature := _signature(function):
        return dict(signature.bind(*args, **kwargs).arguments)
    return {f"argument {i + 1}": arg for i, arg in enumerate(args)} | dict(kwargs)


def _judge(exercise: Exercise, case: Case, attempt: _Attempt) -> _Failure | None:
    """What is wrong with one attempt, None when nothing is."""
    if attempt.error is not None:
        return _Failure(f"It raised {type(attempt.error).__name__}: {attempt.error}")
    if _is_blank(attempt.answer):
        return _Failure("It returned None here: is a `return` missing on one of its paths?")
    failure = (_ask_judge if exercise.judge else _compare_with_reference)(exercise, case, attempt)
    if attempt.changed and failure is None:
        names = " and ".join(f"`{name}`" for name in attempt.changed)
        return _Failure(
            f"The answer is right, but the function changes its input {names}: work on a copy, "
            "since the caller still needs the original. (Adding and taking away again does not "
            "restore a float exactly.)"
        )
    return failure


def _ask_judge(exercise: Exercise, case: Case, attempt: _Attempt) -> _Failure | None:
    yours = (("yours", describe(attempt.answer)),)
    try:
        verdict = exercise.judge(copy.deepcopy(case), attempt.answer)
    except Exception as error:  # the judge was not made for an answer of this type
        what = f"{type(error).__name__}: {error}"
        return _Failure(f"The answer has a form that cannot be judged ({what}).", yours)
    return None if verdict is None else _Failure(verdict, yours)


def _compare_with_reference(exercise: Exercise, case: Case, attempt: _Attempt) -> _Failure | None:
    expected = _run(exercise.reference, case)
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
    return _Failure(difference.sentence, tuple(details))


# Explaining a wrong answer


def _explain(
    exercise: Exercise,
    function: Callable,
    cases: Sequence[Case],
    attempts: Sequence[_Attempt],
    verdicts: Sequence[_Failure | None],
    first: int,
    seed: int,
) -> _Failure:
    """The message for the first wrong case: a known mistake first, then the facts."""
    failure, case = verdicts[first], cases[first]
    mistake = _recognise(exercise, cases, attempts, verdicts)
    message = failure.message
    details = [("case", f"{first + 1} of {len(cases)}" + f": {case.note}" * bool(case.note))]
    details += [("called", _call(function, case))]
    if mistake:
        message = mistake.message
        details.append(("seen", failure.message))
    elif sizes := _batch_size_advice(cases, verdicts):
        message = f"{failure.message} {sizes}"
    if line := _line_of(attempts[first].error, function):
        details.append(("line", line))
    details += failure.details
    details.append(("again", f'check("{exercise.name}", {_name(function)}, seed={seed})'))
    return _Failure(message, tuple(details))


def _recognise(
    exercise: Exercise,
    cases: Sequence[Case],
    attempts: Sequence[_Attempt],
    verdicts: Sequence[_Failure | None],
) -> Mistake | None:
    """The known mistake that does on every case what the reader's function did."""
    for mistake in exercise.mistakes:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = [_run(mistake.function, case) for case in cases]
            if all(
                _alike(exercise, *quadruple)
                for quadruple in zip(cases, attempts, theirs, verdicts, strict=True)
            ):
                return mistake
    return None


def _alike(
    exercise: Exercise, case: Case, mine: _Attempt, theirs: _Attempt, verdict: _Failure | None
) -> bool:
    if mine.error is not None or theirs.error is not None:
        return repr(mine.error) == repr(theirs.error)
    if compare(mine.answer, theirs.answer, exercise.tolerance) is None:
        return True
    if exercise.judge is None:
        return False
    # Answers made of objects that know no ==, such as graph nodes: the judge's words decide
    return not _is_comparable(mine.answer) and verdict == _judge(exercise, case, theirs)


def _is_comparable(answer: Any) -> bool:
    """Whether an answer consists of things that `compare` compares by value."""
    if isinstance(answer, dict):
        answer = tuple(answer.values())
    if isinstance(answer, (tuple, list)):
        return all(map(_is_comparable, answer))
    return type(answer).__eq__ is not object.__eq__


def _batch_size_advice(cases: Sequence[Case], verdicts: Sequence[_Failure | None]) -> str:
    """Say so when an answer is right for one batch size and wrong for all others.

    A single wrong case with a note ("huge logits") more likely fails for what the note says.
    """
    sizes = [_batch_size(case) for case in cases]
    right = {size for size, verdict in zip(sizes, verdicts, strict=True) if not verdict}
    wrong = {size for size, verdict in zip(sizes, verdicts, strict=True) if verdict}
    if None in right | wrong or len(right) != 1 or right & wrong:
        return ""
    noted = all(c.note for c, verdict in zip(cases, verdicts, strict=True) if verdict)
    if noted and len(wrong) < 2:
        return ""
    if right == {1}:
        return (
            "It is right for a batch of one and wrong for larger ones: look at what is summed, "
            "averaged or broadcast over the batch."
        )
    others = " and ".join(map(str, sorted(wrong)))
    return (
        f"It is right for batches of {right.pop()} and wrong for batches of {others}: "
        "is a size written into your code?"
    )


def _batch_size(case: Case) -> int | None:
    arrays = [a for a in (*case.args, *case.kwargs.values()) if isinstance(a, np.ndarray)]
    return next((len(a) for a in arrays if a.ndim), None)


def _call(function: Callable, case: Case) -> str:
    """The call in words: `softmax(z) with z: float64 array of shape (5, 7)`."""
    arguments = _named_arguments(function, case.args, dict(case.kwargs))
    lines = [f"{_name(function)}({', '.join(arguments)})"]
    return "\n".join(lines + [f"{key}: {describe(value)}" for key, value in arguments.items()])


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


def _failed(exercise: Exercise, failure: _Failure) -> CheckFailed:
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
