"""An exercise of a course, with all that grading it takes."""

import hashlib
from dataclasses import dataclass

import numpy as np

from bigmodel_edu.course.points import seed_of
from bigmodel_edu.course.settings import Course, Limits
from bigmodel_edu.exercise import Case, Exercise


@dataclass(frozen=True)
class Task:
    """An exercise of a course, and what grading it takes; `of` is what it is worth."""

    exercise: Exercise
    of: float
    secret: str
    imports: tuple[str, ...]
    limits: Limits

    @classmethod
    def of_course(cls, course: Course, exercise: Exercise) -> "Task":
        """Return the task of grading `exercise`."""
        of = course.points[exercise.name]
        return cls(exercise, of, course.secret, course.imports, course.limits)

    def cases(self, digest: str) -> list[Case]:
        """Return the cases for the submission with this digest: the same whenever it is graded."""
        seed = seed_of(self.secret, self.exercise.name, digest)
        return list(self.exercise.cases(np.random.default_rng(seed)))


def digest_of(notebook: bytes) -> str:
    """Return the SHA-256 of a notebook, hexadecimal."""
    return hashlib.sha256(notebook).hexdigest()
