"""A class at a glance: its students, its exercises, its commonest mistakes."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bigmodel_edu.course.grades import STATUSES, STOPPED, Grade, by_student
from bigmodel_edu.course.output import legible, legible_grade
from bigmodel_edu.course.settings import Course

_STEPS = (0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
_MOST_BINS = 12


@dataclass(frozen=True)
class Student:
    """One student's grades; all texts but `key` are legible.

    key: the name exactly as it was handed in; no two students have the same.
    grades: by exercise, in the order of the course; an exercise that was not graded is left out.
    """

    key: str
    name: str
    grades: Mapping[str, Grade]

    @cached_property
    def points(self) -> float:
        """The sum of the points."""
        return math.fsum(grade.points for grade in self.grades.values())

    @cached_property
    def flags(self) -> tuple[str, ...]:
        """Each flag once, in the order of the exercises."""
        return tuple(dict.fromkeys(f for grade in self.grades.values() for f in grade.flags))

    @cached_property
    def flags_of_all(self) -> tuple[str, ...]:
        """The flags that every exercise has, and so are about the submission as a whole."""
        return tuple(f for f in self.flags if all(f in g.flags for g in self.grades.values()))

    @cached_property
    def notebooks(self) -> tuple[tuple[str, str], ...]:
        """Name and digest of each notebook that was graded, as a rule of one."""
        return tuple(dict.fromkeys((g.notebook, g.digest) for g in self.grades.values()))

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """How many exercises have each status, in the order of STATUSES, without zeros."""
        return _in_order(Counter(grade.status for grade in self.grades.values()))


@dataclass(frozen=True)
class Tally:
    """How a class fared in one exercise: how many students have each status, without zeros."""

    exercise: str
    title: str
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Common:
    """A known mistake and how many students made it."""

    title: str
    mistake: str
    count: int


@dataclass(frozen=True)
class Bin:
    """One bar of a histogram: totals from `low` up to but without `high`; the last has both."""

    low: float
    high: float
    count: int


def students_of(course: Course, grades: Sequence[Grade]) -> list[Student]:
    """Return the students in alphabetical order.

    Of two grades for one student and exercise the later one counts. Grades of exercises that the
    course does not have are left out, since its total does not have their points either.
    """
    students = []
    for key, own in by_student(grades).items():
        latest = {grade.exercise: grade for grade in own}
        kept = {name: legible_grade(latest[name]) for name in course.points if name in latest}
        students.append(Student(key, legible(key), kept))
    return students


def tallies(course: Course, students: Sequence[Student]) -> list[Tally]:
    """Return a tally of each exercise of the course, in its order."""
    return [
        Tally(
            exercise.name,
            exercise.title,
            _in_order(
                Counter(
                    s.grades[exercise.name].status for s in students if exercise.name in s.grades
                )
            ),
        )
        for exercise in course.exercises
    ]


def _in_order(counts: Mapping[str, int]) -> dict[str, int]:
    return {status: counts[status] for status in STATUSES if counts[status]}


def commonest_mistakes(students: Sequence[Student], most: int = 10) -> list[Common]:
    """Return the known mistakes that most students made, the commonest first."""
    counts = Counter(
        (grade.title, grade.mistake)
        for student in students
        for grade in student.grades.values()
        if grade.mistake
    )
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [Common(title, mistake, count) for (title, mistake), count in ranked[:most]]


def histogram(totals: Sequence[float], of: float) -> list[Bin]:
    """Sort `totals`, which lie between 0 and `of`, into at most 12 bins of a round width."""
    step = next((s for s in _STEPS if of / s <= _MOST_BINS), of / _MOST_BINS)
    n = math.ceil(of / step)
    counts = Counter(min(max(int(total // step), 0), n - 1) for total in totals)
    return [Bin(i * step, min((i + 1) * step, of), counts[i]) for i in range(n)]


def flagged(students: Sequence[Student]) -> dict[str, list[Student]]:
    """Return the students that each flag is about; a stopped exercise counts as a flag."""
    found: dict[str, list[Student]] = {}
    for student in students:
        stopped = [STOPPED] if STOPPED in student.counts else []
        for flag in dict.fromkeys([*stopped, *student.flags]):
            found.setdefault(flag, []).append(student)
    return dict(sorted(found.items()))


def confinements(students: Sequence[Student]) -> list[str]:
    """Return in words what held the students' processes, each once."""
    return sorted({g.confinement for s in students for g in s.grades.values() if g.confinement})
