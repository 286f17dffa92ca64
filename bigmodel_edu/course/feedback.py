"""What came back from a student's process, as points and feedback in words.

It may be anything: a student's code may have written it. So this is done where it can do no harm,
see `judge_process`.
"""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

import numpy as np

from bigmodel_edu.course import wire
from bigmodel_edu.course.grades import (
    FAILED,
    MISSING,
    NOT_ATTEMPTED,
    PARTLY,
    PASSED,
    STOPPED,
    UNREADABLE,
    Result,
)
from bigmodel_edu.course.points import NoNumbers, score
from bigmodel_edu.course.task import Task
from bigmodel_edu.exercise import Case, Exercise
from bigmodel_edu.labs.attempts import (
    Attempt,
    call_in_words,
    explain,
    is_untouched,
    named_arguments,
    recognise,
)

MAX_TEXT = 2_000
"""Characters of a student's error message that are kept."""


def judge_data(task: Task, digest: str, data: bytes, end: str) -> Result:
    """Return what `data`, all that came back from a process that ended with `end`, is worth.

    Whatever stands in it, this raises nothing; it may take long, and much memory.
    """
    cases = task.cases(digest)
    try:
        messages, is_whole = wire.unpack_all(data)
        end = end if is_whole or end != "exited" else "damaged"
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # of odd answers, such as NaN
            return _shortened(judge_messages(task, cases, messages, end))
    except Exception as error:  # answers of forms that nobody thought of
        what = f"The answers have a form that cannot be judged ({type(error).__name__})."
        return Result(FAILED, cases=len(cases), message=what)


def judge_messages(task: Task, cases: Sequence[Case], messages: Sequence[Any], end: str) -> Result:
    """Return what the messages of a process, answers to `cases`, are worth."""
    first, *answers = messages or ({},)
    if not isinstance(first, dict) or not first:
        return Result(STOPPED, cases=len(cases), message=_why_it_ended(task, end))
    if "unreadable" in first:
        message = f"The notebook cannot be read: {_text(first, 'unreadable')}."
        return Result(MISSING, cases=len(cases), message=message, flags=(UNREADABLE,))
    faults = [_as_dict(fault) for fault in _as_list(first.get("faults"))]
    if "ready" not in first:
        return Result(MISSING, cases=len(cases), message=_why_it_is_missing(task, first, faults))
    answers = list(map(_as_dict, answers))
    if any(map(_ran_out_of_memory, answers)):
        end = "memory"
    answers = list(takewhile(_is_answer, answers))
    attempts = [_attempt(task, *pair) for pair in zip(cases, answers, strict=False)]
    complete = len(attempts) == len(cases)
    if complete and all(map(is_untouched, attempts)):
        return Result(NOT_ATTEMPTED, cases=len(cases), message="Not attempted.")
    stop = "" if complete else _why_it_ended(task, end)
    result = _result(task, cases, attempts, answers, faults, stop)
    if result.status in (FAILED, PARTLY) and (left := _text(first, "left")):
        words = f"{result.message} `{left}` was not run: it is no import, function, class or "
        return replace(result, message=f"{words}assignment to a name.")
    return result


def _result(
    task: Task,
    cases: Sequence[Case],
    attempts: Sequence[Attempt],
    answers: Sequence[dict],
    faults: Sequence[dict],
    stop: str,
) -> Result:
    """Judge the attempts; `stop` says why cases are left without one, "" when none are."""
    scored = score(task.exercise, cases, attempts)
    exercise, verdicts = scored.exercise, scored.failures
    right = verdicts.count(None)
    if right == len(cases):
        return Result(PASSED, task.of, len(cases), len(cases))
    points = task.of * scored.share
    status = STOPPED if stop else PARTLY if points else FAILED
    found = Result(status, points, right, len(cases), message=stop)
    if not any(verdicts):
        return found
    mistake = None if stop else _recognised(exercise, cases, scored.attempts, verdicts)
    first = next(i for i, verdict in enumerate(verdicts) if verdict)
    called = call_in_words(exercise.function, _arguments(exercise, cases[first]))
    line = _text(_as_dict(answers[first].get("error")), "line")
    failure = explain(cases[: len(verdicts)], verdicts, mistake, called, line)
    fault = _fault_in_words(task, faults) if attempts[first].error else ""
    fault = fault or _about(task, attempts[first].error)
    message = " ".join(filter(None, (stop, _as_sentence(failure.message), fault)))
    words = mistake.message if mistake else ""
    return replace(found, message=message, details=failure.details, mistake=words)


# From messages to attempts; whatever a message holds, a student's code may have written it


def _is_answer(message: dict) -> bool:
    is_one = bool(message.keys() & {"answer", "error", "unusable"})
    return is_one and not _ran_out_of_memory(message)


def _ran_out_of_memory(message: dict) -> bool:
    return _text(_as_dict(message.get("error")), "type").endswith("MemoryError")


def _attempt(task: Task, case: Case, answer: dict) -> Attempt:
    if "error" in answer:
        return Attempt(error=_error(_as_dict(answer["error"])))
    if "answer" in answer:
        if not (keys := _as_list(answer.get("changed"))):
            return Attempt(answer["answer"])
        names = list(_arguments(task.exercise, case))
        changed = {_name(key, names) for key in keys}
        return Attempt(answer["answer"], changed=tuple(n for n in names if n in changed))
    return Attempt(error=NoNumbers(_text(answer, "unusable")))


def _arguments(exercise: Exercise, case: Case) -> dict[str, Any]:
    return named_arguments(exercise.reference, case.args, dict(case.kwargs))


def _name(key: Any, names: list[str]) -> str:
    """The name of an argument that is known by its place or by its name, "" for anything else."""
    if type(key) is int and 0 <= key < len(names):
        return names[key]
    return key if isinstance(key, str) else ""


def _error(entry: dict) -> Exception:
    """Return an exception that looks like the one that was raised in the student's process."""
    name, message, shown = (_text(entry, key) for key in ("type", "message", "repr"))
    base = NotImplementedError if name == "NotImplementedError" else Exception
    methods = {"__str__": lambda self: message, "__repr__": lambda self: shown}
    return type(name if name.isidentifier() else "Exception", (base,), methods)()


def _as_dict(value: Any) -> dict:
    return value if isinstance(value, dict) else {}


def _as_list(value: Any) -> list | tuple:
    return value if isinstance(value, (list, tuple)) else []


def _text(entry: dict, key: str) -> str:
    value = entry.get(key, "")
    return value[:MAX_TEXT] if isinstance(value, str) else ""


# Judging


def _recognised(exercise: Exercise, *found: Sequence) -> Any:
    try:
        return recognise(exercise, *found)
    except Exception:  # of answers of forms that nobody thought of
        return None


# In words


def _shortened(result: Result) -> Result:
    """Return the result with none of its texts longer than a page."""
    details = tuple((label, text[:MAX_TEXT]) for label, text in result.details)
    return replace(result, message=result.message[: 2 * MAX_TEXT], details=details)


def _as_sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", ")")) else f"{text}."


def _why_it_is_missing(task: Task, first: dict, faults: Sequence[dict]) -> str:
    name = task.exercise.function
    if problem := _text(first, "problem"):
        return f"The cell that defines `{name}` is no valid Python: {problem}."
    if first.get("found") is True:
        return f"`{name}` could not be defined. {_fault_in_words(task, faults)}".rstrip()
    return f"The notebook defines no function `{name}`."


def _fault_in_words(task: Task, faults: Sequence[dict]) -> str:
    """Return what went wrong before the function was called, "" when nothing did."""
    if not faults:
        return ""
    kind, message, line = (_text(faults[0], key) for key in ("type", "message", "line"))
    place = f" in `{line}`" if line else ""
    text = f"Before it was called, {kind}{place}: {message}."
    return f"{text} {_what_can_be_imported(task)}" if kind in _IMPORT_ERRORS else text


_IMPORT_ERRORS = ("ModuleNotFoundError", "ImportError")


def _about(task: Task, error: Exception | None) -> str:
    """What a student has to know who meets an error here and not in the notebook, or ""."""
    name = type(error).__name__
    if name in _IMPORT_ERRORS:
        return _what_can_be_imported(task)
    return _WHAT_IS_TAKEN if name == "NameError" else ""


_WHAT_IS_TAKEN = (
    "From a notebook the imports, functions, classes and assignments to a name are taken that the "
    "function needs, and nothing else: what a loop or a call outside of functions does is missing."
)


def _what_can_be_imported(task: Task) -> str:
    allowed = " and ".join((", ".join(task.imports), "Python's own library"))
    return f"Only {allowed} can be imported here, and not bigmodel_edu."


def _why_it_ended(task: Task, end: str) -> str:
    limits = task.limits
    kind, _, number = end.partition(" ")
    reasons = {
        "time": f"It did not end within {limits.seconds:g} seconds and was stopped.",
        "memory": f"It took more than {limits.memory_mb:g} MB of memory and was stopped.",
        "too": f"It returned more than {limits.answer_mb:g} MB and was stopped.",
        "damaged": "What it returned is damaged.",
        "signal": f"Its process was ended by the system (signal {number}): it crashed, or took "
        "more memory or time than it may.",
        "exit": f"It ended its own process (exit {number}) instead of returning an answer.",
        "exited": "It ended its own process instead of returning an answer.",
    }
    return reasons.get(kind, "Its process ended without an answer.")
