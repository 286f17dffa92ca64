"""What reports and pages share: texts that harm nobody, numbers as people write them, files.

The name of a student comes from a file, and a message may quote what a student's code raised, so
every text is hostile until `legible` has seen it.
"""

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from bigmodel_edu.course.grades import Grade
from bigmodel_edu.errors import BookError
from bigmodel_edu.labs.files import write_atomically

_ILLEGIBLE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls but tab and newline: among them ESC and CR
    "\u2028\u2029"  # ends of lines that few programs know
    "\u202a-\u202e\u2066-\u2069"  # marks that turn the direction of what follows
    "\ud800-\udfff\ufffe\uffff"  # no characters: no UTF-8 and no XML holds them
    "]"
)


class OutputError(BookError, OSError):
    """A report cannot be written where it should stand."""


def legible(text: str) -> str:
    r"""Return `text` with its newlines as "\n" and what no reader should meet as escapes.

    Escapes are Python's own, an ESC becomes `\x1b`: nothing acts, XML can hold all of it, and one
    still sees what was there. Names that differ still differ.
    """
    return _ILLEGIBLE.sub(_escaped, text.replace("\r\n", "\n"))


def _escaped(match: re.Match) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def legible_grade(grade: Grade) -> Grade:
    """Return `grade` with each of its texts made `legible`."""
    return replace(grade, **{f.name: _legible(getattr(grade, f.name)) for f in fields(grade)})


def _legible(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_legible, value))
    return legible(value) if isinstance(value, str) else value


def shortened(text: str, most: int) -> str:
    """Return `text`, cut after `most` characters with a word on how many are left out."""
    if len(text) <= most:
        return text
    return f"{text[:most]}… ({len(text) - most:,} more characters)"


def number(value: float) -> int | float:
    """Return `value` without the dust of floating point, whole numbers as int."""
    rounded = round(float(value), 4)
    return int(rounded) if rounded.is_integer() else rounded


def in_words(value: float) -> str:
    """Return `value` with at most two decimals: "2", "14.5", "0.67"."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def write(path: Path, text: str) -> Path:
    """Write a file whole or not at all, its folder too if need be; return `path`.

    Raises OutputError where the system says no.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror}): close it in other programs, see that "
            "you may write to its folder, and run the same command again."
        ) from error
    return path
