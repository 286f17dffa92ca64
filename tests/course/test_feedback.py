"""From what came back to points and words; what came back may be anything."""

import re
from dataclasses import replace

import numpy as np
import pytest

from bigmodel_edu.course import grades as statuses
from bigmodel_edu.course.feedback import judge_messages
from bigmodel_edu.course.settings import Limits
from bigmodel_edu.course.task import Task
from bigmodel_edu.labs import Case, Exercise, Mistake


def double(x):
    return 2 * x


EXERCISE = Exercise(
    name="neural_nets.double",
    title="Twice as much",
    points=4,
    reference=double,
    cases=lambda rng: [
        Case((np.array([1.0, 2.0]),), note="the same for everybody"),
        *(Case((rng.normal(size=n),)) for n in (3, 5, 7)),
    ],
    mistakes=(Mistake(lambda x: x * x, "You squared."),),
)


TOTAL = replace(
    EXERCISE,
    name="neural_nets.total",
    reference=lambda x: float(x.sum()),
    mistakes=(Mistake(lambda x: float(x.mean()), "That is the mean."),),
)
"""Its answer is a number."""


@pytest.fixture
def task() -> Task:
    return Task.of_course(FakeCourse(), EXERCISE)


class FakeCourse:
    """What a task takes from a course."""

    points = {"neural_nets.double": 4, "neural_nets.total": 4}  # noqa: RUF012
    secret = "a secret of this course"
    imports = ("numpy",)
    limits = Limits()


READY = {"ready": True, "faults": []}


def judged(task, *answers, end="exited", first=READY, digest="d"):
    """Judge messages; an answer that is no dict stands for a message with it."""
    messages = [a if isinstance(a, dict) else {"answer": a, "changed": []} for a in answers]
    return judge_messages(task, task.cases(digest), (first, *messages), end)


def right(task, digest="d"):
    return [double(case.args[0]) for case in task.cases(digest)]


def error(kind="ValueError", message="no", line=""):
    text = f"{kind}({message!r})"
    return {"error": {"type": kind, "message": message, "repr": text, "line": line}}


# Cases


def test_the_same_submission_gets_the_same_cases(task):
    first, again = task.cases("d"), task.cases("d")
    assert all(np.array_equal(a.args[0], b.args[0]) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("change", ["digest", "secret", "exercise"])
def test_another_submission_secret_or_exercise_gets_other_cases(task, change):
    other, digest = task, "d"
    if change == "digest":
        digest = "e"
    elif change == "secret":
        other = replace(task, secret="another secret of this course")
    else:
        other = replace(task, exercise=replace(EXERCISE, name="neural_nets.other"))
    pairs = zip(task.cases("d")[1:], other.cases(digest)[1:], strict=True)
    assert not any(np.array_equal(a.args[0], b.args[0]) for a, b in pairs)


# Points


def test_right_answers_earn_all(task):
    result = judged(task, *right(task))
    assert (result.status, result.points, result.cases_passed) == (statuses.PASSED, 4, 4)
    assert result.message == ""


def test_each_case_earns_its_part(task):
    answers = right(task)
    answers[3] = answers[3] + 1
    result = judged(task, *answers)
    assert (result.status, result.points, result.cases_passed) == (statuses.PARTLY, 3, 3)
    assert ("case", "4 of 4") in result.details


def test_what_can_be_learnt_by_heart_earns_nothing_alone(task):
    answers = [2 * np.array([1.0, 2.0]), *(np.zeros(n) for n in (3, 5, 7))]
    result = judged(task, *answers)
    assert (result.status, result.points, result.cases_passed) == (statuses.FAILED, 0, 1)


def test_a_known_mistake_is_named(task):
    result = judged(task, *(case.args[0] ** 2 for case in task.cases("d")))
    assert result.mistake == "You squared."
    assert result.message == "You squared."


def test_an_untouched_stub_is_not_attempted(task):
    assert judged(task, *[None] * 4).status == statuses.NOT_ATTEMPTED
    assert judged(task, *[...] * 4).status == statuses.NOT_ATTEMPTED
    assert judged(task, *[error("NotImplementedError")] * 4).status == statuses.NOT_ATTEMPTED


def test_a_changed_input_fails_by_its_name(task):
    message = {"answer": right(task)[1], "changed": [0]}
    result = judged(task, right(task)[0], message, *right(task)[2:])
    assert result.points == 3
    assert "changes its input `x`" in result.message


# Forms that cost nobody a point


@pytest.mark.parametrize(
    "form",
    [
        lambda y: y.astype(np.float32),
        lambda y: y.astype(np.longdouble),
        lambda y: y.tolist(),
        lambda y: tuple(y),
        lambda y: list(y),
        lambda y: y[::-1].copy()[::-1],
    ],
    ids=["float32", "long double", "list", "tuple", "list of scalars", "negative strides"],
)
def test_forms_that_cost_nothing(task, form):
    assert judged(task, *map(form, right(task))).status == statuses.PASSED


@pytest.mark.parametrize(
    "form",
    [
        lambda y: y.astype(np.float16),
        lambda y: y[:1],
        lambda y: float(y[0]),
        lambda y: y[None],
        lambda y: [y, y],
        lambda y: y.astype(str).tolist(),
        lambda y: y + np.float32(1e-3) * np.ones(len(y), np.float32),
        lambda y: np.full_like(y, np.nan),
        lambda y: 10**4000,
        lambda y: {"y": y},
        lambda y: True,
    ],
    ids=lambda form: "",
)
def test_forms_that_are_wrong(task, form):
    assert judged(task, *map(form, right(task))).points == 0


def test_float32_does_not_excuse_a_wrong_value(task):
    answers = [(y * 1.01).astype(np.float32) for y in right(task)]
    assert judged(task, *answers).points == 0


# Ends


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("time", "did not end within 10 seconds"),
        ("memory", "more than 1000 MB of memory"),
        ("too much", "returned more than 16 MB"),
        ("exit 3", r"ended its own process \(exit 3\)"),
        ("exited", "ended its own process instead"),
        ("signal 11", r"signal 11"),
        ("damaged", "is damaged"),
        ("lost", "ended without an answer"),
    ],
)
def test_a_process_that_ended_early_is_stopped_with_the_reason(task, end, words):
    for messages in ((), (READY,), (READY, {"answer": np.zeros(2), "changed": []})):
        result = judge_messages(task, task.cases("d"), messages, end)
        assert result.status == statuses.STOPPED
        assert result.points == 0
        assert re.search(words, result.message)


def test_what_was_right_before_the_end_counts(task):
    result = judged(task, *right(task)[:2], end="time")
    assert (result.status, result.points, result.cases_passed) == (statuses.STOPPED, 2, 2)


def test_all_answers_count_however_the_process_ended(task):
    assert judged(task, *right(task), end="exit 7").status == statuses.PASSED
    assert judged(task, *right(task), end="time").status == statuses.PASSED


# Messages


def test_an_error_is_told_with_its_line(task):
    result = judged(task, *[error("ValueError", "no", "return x (in double)")] * 4)
    assert result.message == "It raised ValueError: no."
    assert ("line", "return x (in double)") in result.details


def test_what_failed_before_is_told_when_it_explains_the_error(task):
    fault = error("ModuleNotFoundError", "No module named 'torch'", "import torch")["error"]
    first = {"ready": True, "faults": [fault]}
    result = judged(task, *[error("NameError", "name 'torch' is not defined")] * 4, first=first)
    assert "ModuleNotFoundError in `import torch`" in result.message
    assert "Only numpy and Python's own library can be imported here" in result.message


def test_a_missing_function_is_missing(task):
    result = judged(task, first={"found": False, "faults": []})
    assert result.status == statuses.MISSING
    assert result.message == "The notebook defines no function `double`."
    damaged = judged(task, first={"unreadable": "it is damaged"})
    assert (damaged.status, damaged.flags) == (statuses.MISSING, (statuses.UNREADABLE,))
    broken = judged(task, first={"found": False, "problem": "'(' was never closed (line 2)"})
    assert broken.message == (
        "The cell that defines `double` is no valid Python: '(' was never closed (line 2)."
    )


def test_an_import_inside_the_function_is_explained(task):
    result = judged(task, *[error("ModuleNotFoundError", "No module named 'torch'")] * 4)
    assert result.message.endswith("can be imported here, and not bigmodel_edu.")


def test_a_name_that_nothing_defines_is_explained(task):
    result = judged(task, *[error("NameError", "name 'TABLE' is not defined")] * 4)
    assert "what a loop or a call outside of functions does is missing" in result.message
    assert "outside" not in judged(task, *[error("ValueError", "no")] * 4).message


def test_what_was_not_run_is_told_when_the_answer_is_wrong(task):
    first = {"ready": True, "faults": [], "left": "for i in T:"}
    wrong = judged(task, *[error("IndexError", "list index out of range")] * 4, first=first)
    assert wrong.message.endswith(
        "`for i in T:` was not run: it is no import, function, class or assignment to a name."
    )
    assert judged(task, *right(task), first=first).message == ""


def test_running_out_of_memory_is_a_limit_that_was_broken(task):
    result = judged(task, right(task)[0], right(task)[1], *[error("MemoryError")] * 2)
    assert (result.status, result.points) == (statuses.STOPPED, 2)
    assert "more than 1000 MB of memory" in result.message


def test_what_cannot_travel_is_told(task):
    result = judged(task, *[{"unusable": "a function, where numbers were expected"}] * 4)
    assert result.message.startswith("It returned a function, where numbers were expected")


# Forged messages

FORGED = [
    {},
    {"answer": None},
    {"answer": [], "changed": 7},
    {"answer": np.zeros(0), "changed": [99, -1, None, "x", [1]]},
    {"answer": np.zeros(0), "changed": [np.zeros(2), {"a": 1}, (1, [2])]},
    {"error": None},
    {"error": {"type": 5, "message": [], "repr": {}, "line": np.zeros(3)}},
    {"error": {"type": "a b\x00", "message": "x" * 10**6, "repr": "", "line": ""}},
    {"unusable": 3},
    {"broken": {}},
    {"answer": {1: {2: (3, [4, {5: 6}])}}, "changed": []},
    {"answer": 10**4000, "changed": []},
    {"answer": [10**4000, "x", None, ...], "changed": []},
    {"answer": complex("nan"), "changed": []},
    {"answer": np.array(1 + 2j), "changed": []},
    {"answer": np.zeros((0, 2**20)), "changed": []},
    {1: 2},
]


@pytest.mark.parametrize("exercise", [EXERCISE, TOTAL], ids=["an array", "a number"])
@pytest.mark.parametrize("message", FORGED, ids=range(len(FORGED)))
def test_forged_messages_earn_nothing_and_break_nothing(exercise, message):
    task = Task.of_course(FakeCourse(), exercise)
    for first in (READY, message):
        messages = (first, *[message] * 4)
        result = judge_messages(task, task.cases("d"), messages, "exited")
        assert result.points == 0
        assert result.status in statuses.STATUSES
        assert len(result.message) < 5000


@pytest.mark.parametrize("first", [None, 5, "ready", ["ready"], np.zeros(3), {"ready": 1}])
def test_a_forged_first_message_breaks_nothing(task, first):
    result = judge_messages(task, task.cases("d"), (first,), "exited")
    assert result.status == statuses.STOPPED


def test_more_answers_than_cases_are_not_looked_at(task):
    assert judged(task, *right(task), *right(task)).cases_passed == 4
