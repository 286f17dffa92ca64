"""What grading says: a `Result` for each exercise of a submission, a `Grade` with whose it is."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

PASSED, PARTLY, FAILED = "passed", "partly right", "failed"
NOT_ATTEMPTED, MISSING, STOPPED = "not attempted", "missing", "stopped"
STATUSES = (PASSED, PARTLY, FAILED, NOT_ATTEMPTED, MISSING, STOPPED)
"""MISSING: the notebook holds no such function. STOPPED: it broke a limit or ended its process."""

LATE, TWO_NOTEBOOKS, SAME_FILE = "late", "two notebooks", "same file as another"
ENDED_TWICE, UNREADABLE = "ended the grader twice", "nothing to read"
"""Flags: what a lecturer should look at."""


@dataclass(frozen=True)
class Result:
    """What a submission earned in one exercise; `Grade` says whose it is."""

    status: str
    points: float = 0.0
    cases_passed: int = 0
    cases: int = 0
    message: str = ""
    details: tuple[tuple[str, str], ...] = ()
    mistake: str = ""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grade:
    """How one exercise of one submission fared.

    student: who, from the name of the file or folder.
    notebook: its name inside what was handed in, "" when none could be read.
    digest: SHA-256 of the notebook, hexadecimal; with the secret it decides the cases.
    points, of: earned, and what the exercise is worth.
    status: one of STATUSES.
    cases_passed, cases: counted, out of how many.
    message: feedback in words, "" when passed.
    details: labelled facts about the first failing case.
    mistake: the known mistake that was recognised, in its own words, else "".
    flags: what a lecturer should look at, see LATE and the others.
    seconds: by the clock, the process and the comparison together.
    confinement: what held the process, in words.
    """

    student: str
    exercise: str
    title: str
    notebook: str
    digest: str
    points: float
    of: float
    status: str
    cases_passed: int = 0
    cases: int = 0
    message: str = ""
    details: tuple[tuple[str, str], ...] = ()
    mistake: str = ""
    flags: tuple[str, ...] = ()
    seconds: float = 0.0
    confinement: str = ""

    def as_json(self) -> dict:
        """Return the grade as a dict that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_json(cls, entry: dict) -> "Grade":
        """The inverse of `as_json`; raises TypeError or KeyError for anything else."""
        values = {field.name: entry[field.name] for field in fields(cls)}
        values["details"] = tuple((str(label), str(text)) for label, text in entry["details"])
        values["flags"] = tuple(map(str, entry["flags"]))
        return cls(**values)


def by_student(grades: Iterable[Grade]) -> dict[str, list[Grade]]:
    """The grades of each student, students in alphabetical order."""
    students: dict[str, list[Grade]] = {}
    for grade in sorted(grades, key=lambda grade: grade.student):
        students.setdefault(grade.student, []).append(grade)
    return students
