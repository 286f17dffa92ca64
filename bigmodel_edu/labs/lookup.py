"""Exercises by name: those of the book, and those that a notebook made itself."""

from bigmodel_edu import catalogue
from bigmodel_edu.exercise import Exercise

_own: dict[str, Exercise] = {}


def exercise_named(name: str) -> Exercise:
    """Return the exercise of that name; UnknownName suggests the nearest of the book."""
    return _own.get(name) or catalogue.exercise(name)


def remember(exercise: Exercise) -> None:
    """Let an exercise that a notebook made itself be found by name, while its kernel lives."""
    if exercise.name not in catalogue.exercises_of(exercise.chapter):
        _own[exercise.name] = exercise
