"""Errors a reader is meant to see: one sentence with what was expected, what came, what to do."""

from collections.abc import Iterable
from difflib import get_close_matches


class BookError(Exception):
    """Base of every deliberate error; the command line prints its sentence without a traceback."""


class ShapeError(BookError, ValueError):
    """An array has a shape that the layer cannot take."""


class DTypeError(BookError, TypeError):
    """An array has a dtype that the layer cannot take."""


class LabelError(BookError, ValueError):
    """A class label is outside the range of the classes."""


class TokenError(BookError, ValueError):
    """A token id is outside the vocabulary."""


class IdError(BookError, ValueError):
    """A number stands for no entity or no relation of the graph."""


class LengthError(BookError, ValueError):
    """A sequence is empty, or longer than what is to hold it."""


class HyperparameterError(BookError, ValueError):
    """A hyperparameter is outside the range in which it has a meaning."""


class UnknownName(BookError, KeyError):
    """A name that the catalogue does not hold."""

    def __str__(self) -> str:  # KeyError would print the repr of the sentence
        return str(self.args[0])


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the nearest of `names`, or "" when none is near."""
    full = {candidate: candidate for candidate in names}
    own_part = {candidate.rpartition(".")[2]: candidate for candidate in full}
    for wanted, candidates in ((name, full), (name.rpartition(".")[2], own_part)):
        if near := get_close_matches(wanted, candidates):
            return f" Did you mean {candidates[near[0]]!r}?"
    return ""
