"""A course of chapter 1, and what its class may have handed in."""

import os
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from bigmodel_edu.course import grades as statuses
from bigmodel_edu.course.grades import Grade
from bigmodel_edu.course.settings import Course, new_course
from bigmodel_edu.labs import Exercise

if os.name != "posix":  # grading is refused there, and its modules cannot be imported
    collect_ignore = [
        "test_course.py",
        "test_feedback.py",
        "test_hostile.py",
        "test_journal.py",
        "test_judge_process.py",
        "test_nbgrader.py",
        "test_sandbox.py",
        "test_submissions.py",
        "test_whole_class.py",
    ]

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "../../etc/passwd",
    "..\\..\\windows",
    "/etc/passwd",
    '=HYPERLINK("https://evil.example","click")',
    "+1+1",
    "-1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "x;=1+1;",
    "＝1+1",
    "\x1b[31mred\x1b]0;title\x07\x9b2J",
    "ana\u202egnp.exe\u2066",
    "n" * 10_000,
    "",
    " ",
    "Ada",
    "ada",
    "ADA",
    "con",
    "NUL.ipynb",
    "com1",
    ".",
    "..",
    'O\'Brien, "Pat"',
    "first\nsecond",
    "\x00null\ufffe\uffff",
    "\ud800lone\udcff",
    "]]>&amp;<!--",
    "{{ 7*7 }}{% raw %}",
    "zalgo" + "\u0300\u0301\u0302" * 50,
    "Žofie Müller 李 ليلى",
    "😀",
)
"""Names and messages that try to be more than text, and honest ones that are hard to write."""

CONFINED = "Landlock 4, seccomp, resource limits"


@pytest.fixture
def course(tmp_path) -> Course:
    made = new_course(tmp_path / "course", 1, title="Lab 1: neurons & <friends>")
    return replace(made, secret="the secret of this very course")


@pytest.fixture(params=HOSTILE, ids=lambda text: ascii(text[:20]))
def hostile_text(request) -> str:
    return request.param


@pytest.fixture
def hostile_grade(course, hostile_text) -> Grade:
    """A grade with a hostile text wherever a text can stand."""
    return _hostile_grade(course, hostile_text)


@pytest.fixture
def hostile_class(course) -> list[Grade]:
    """A class of a student for each hostile text."""
    return [_hostile_grade(course, text) for text in HOSTILE]


def _hostile_grade(course: Course, text: str) -> Grade:
    exercise = course.exercises[1]
    return Grade(
        student=text,
        exercise=exercise.name,
        title=exercise.title,
        notebook=text,
        digest="5e" * 32,
        points=0.5,
        of=2,
        status=statuses.PARTLY,
        cases_passed=1,
        cases=4,
        message=text,
        details=((text, text),),
        mistake=f"known: {text}",
        flags=(text,),
        seconds=0.25,
        confinement=text,
    )


@pytest.fixture
def graded(course) -> Callable[..., list[Grade]]:
    """Return `graded(n)`: the plausible grades of n students in all exercises of the course."""

    def graded(n: int) -> list[Grade]:
        rng = random.Random(0)
        return [grade for i in range(n) for grade in _plausible_student(course, i, rng)]

    return graded


FIRST = ("Ada", "Barbara", "Chien-Shiung", "Emmy", "Grace", "Katherine", "Sofja", "Žofie", "李")
LAST = ("Hopper", "Johnson", "Kovalevskaya", "Lovelace", "McClintock", "Müller", "O'Brien", "Wu")
ADVICE = "Your answer has the wrong value."


def _plausible_student(course: Course, i: int, rng: random.Random) -> list[Grade]:
    name = f"{rng.choice(FIRST)} {rng.choice(LAST)} {i:03}"
    flags = rng.choices([(), ("late",), ("two notebooks",)], (16, 3, 1))[0]
    digest = f"{rng.getrandbits(256):064x}"
    skill = rng.betavariate(4, 2)
    grades = []
    for j, exercise in enumerate(course.exercises):
        of = course.points[exercise.name]
        grade = Grade(
            student=name,
            exercise=exercise.name,
            title=exercise.title,
            notebook=f"{name}.ipynb",
            digest=digest,
            points=of,
            of=of,
            status=statuses.PASSED,
            cases_passed=5,
            cases=5,
            flags=flags,
            seconds=rng.uniform(0.05, 0.4),
            confinement=CONFINED,
        )
        is_right = rng.random() < skill + 0.2 - 0.04 * j
        grades.append(grade if is_right else _spoiled(grade, exercise, rng))
    return grades


def _spoiled(grade: Grade, exercise: Exercise, rng: random.Random) -> Grade:
    """Make of a passed exercise one that was not."""
    status = rng.choices(statuses.STATUSES[1:], (6, 6, 3, 1, 1))[0]
    none = replace(grade, status=status, points=0, cases_passed=0)
    if status == statuses.NOT_ATTEMPTED:
        return replace(none, message="The stub is as it was.")
    if status == statuses.MISSING:
        return replace(none, message="The notebook has no function of this name.")
    if status == statuses.STOPPED:
        flags = (*grade.flags, *("ended the grader twice",) * rng.randrange(2))
        return replace(none, flags=flags, seconds=10.1, message="It ran for more than 10 seconds.")
    right = rng.randrange(1, 5) if status == statuses.PARTLY else 0
    known = rng.choice(exercise.mistakes[:2]).message if rng.random() < 0.7 else ""
    return replace(
        none,
        points=grade.of * right / 5,
        cases_passed=right,
        message=known or ADVICE,
        mistake=known,
        details=(
            ("case", f"{right + 1} of 5: huge logits"),
            ("called", "answer(z)\nz: float64 array of shape (5, 7)"),
            ("seen", ADVICE),
            ("yours", "float64 array of shape (5, 7)"),
            ("expected", "float64 array of shape (5, 7)"),
            ("worst", "[2, 3]: yours 0.31415926, expected 0.27182818, relative error 0.033"),
        ),
    )
