"""A course's one configuration file, `course.toml`."""

import os
import secrets
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path

from bigmodel_edu import catalogue
from bigmodel_edu.errors import BookError, did_you_mean
from bigmodel_edu.exercise import Exercise

FILE = "course.toml"
MOST = 10**9
"""Largest number of points, seconds or megabytes: what is larger is a slip of the hand."""
_AT_MOST = f", at most {MOST:,}"
LEAST_MEMORY_MB = 200
"""What Python and NumPy take for themselves, and a little more."""


class CourseError(BookError, ValueError):
    """A course folder or its configuration file is missing or wrong."""


@dataclass(frozen=True)
class Limits:
    """What one exercise of one submission may use.

    seconds: wall-clock and processor time.
    memory_mb: address space of its process, 10^6 bytes each.
    answer_mb: all arrays that it returns together, 10^6 bytes each.
    """

    seconds: float = 10
    memory_mb: float = 1000
    answer_mb: float = 16


@dataclass(frozen=True)
class Course:
    """One assignment: a chapter's exercises, what they are worth, and how answers may run.

    folder: where `course.toml` lies.
    points: what each exercise is worth, by its full name, in the order of the hand-out.
    imports: packages beside the standard library that an answer may import.
    deadline: with its time zone; None where there is none.
    secret: decides the cases that answers are graded on; whoever knows it can compute them.
    """

    folder: Path
    title: str
    chapter: catalogue.Chapter
    points: Mapping[str, float]
    secret: str
    imports: tuple[str, ...] = ("numpy",)
    deadline: datetime | None = None
    limits: Limits = Limits()

    @property
    def exercises(self) -> list[Exercise]:
        """The exercises in the order of the hand-out."""
        return [catalogue.exercise(name) for name in self.points]

    @property
    def total(self) -> float:
        """The points of the whole assignment."""
        return sum(self.points.values())


def new_course(
    folder: Path | str, chapter: int, exercises: Sequence[str] = (), title: str = ""
) -> Course:
    """Make a course folder with its configuration file; by default of all that can be graded.

    Names may be full ("neural_nets.softmax") or the exercise's own part ("softmax").
    Raises CourseError when the folder holds a course already or a name is wrong.
    """
    folder = Path(folder)
    if os.path.lexists(folder / FILE):
        raise CourseError(f"{folder / FILE} exists already: edit it, or name another folder.")
    slug = _chapter(chapter)
    chosen = [_exercise(name, slug) for name in exercises] or _gradable(slug)
    if twice := sorted({e.name for e in chosen if chosen.count(e) > 1}):
        raise CourseError(f"{twice[0]} is named twice: each exercise once was expected.")
    text = _TEMPLATE.format(
        title=_quoted(title or slug.title),
        chapter=slug.number,
        secret=secrets.token_hex(16),
        points="\n".join(f"{e.name.partition('.')[2]} = {e.points}" for e in chosen),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / FILE, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CourseError(
            f"{folder} cannot be made a course folder ({error.strerror}): name a folder that you "
            "may write to."
        ) from error
    return read_course(folder)


def read_course(folder: Path | str) -> Course:
    """Read `course.toml` in `folder` (or that file itself); CourseError says what is wrong."""
    path = Path(folder)
    path = path if path.name == FILE else path / FILE
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # as Notepad may save it
    except FileNotFoundError:
        raise CourseError(
            f"There is no {path}: make a course with `bigmodel course new {path.parent} "
            "--chapter 1`, or name the folder of the one that you have (for `grade`, with "
            "--course)."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise CourseError(
            f"{path} is no valid TOML: {error}. Texts stand in quotation marks, lists in [ ], and "
            "each setting on a line of its own."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CourseError(f"{path} cannot be read: {reason}.") from error
    try:
        return _course(path.parent, entries)
    except CourseError as error:
        raise CourseError(f"{path}: {error}") from None


def public_entries(course: Course) -> dict:
    """Return what students may know of a course's settings, as a dict that JSON can hold."""
    return {
        "title": course.title,
        "chapter": course.chapter.number,
        "imports": list(course.imports),
        "points": [[name, worth] for name, worth in course.points.items()],  # JSON may sort dicts
        "limits": asdict(course.limits),
    }


def course_with_own_secret(folder: Path, entries: Mapping) -> Course:
    """Return the course of `public_entries`, with a secret of its own.

    Raises CourseError when an entry is wrong.
    """
    try:
        points = dict(entries["points"])
    except (KeyError, TypeError, ValueError):
        raise CourseError("points must be a list of pairs, an exercise and its points.") from None
    return _course(folder, {**entries, "points": points, "secret": secrets.token_hex(16)})


_TEMPLATE = """\
# A lab of "Big Models from Scratch". Change what you like, then run `bigmodel course release`.

title = {title}
chapter = {chapter}

# deadline = 2027-01-31T23:59:00+01:00   # later notebooks are marked as late, not refused

# Packages beside Python's own library that an answer may import. They must be installed where
# you grade. The book's own package is never among them.
imports = ["numpy"]

# Decides the cases that answers are graded on. Keep this file from your students. A regrade with
# the same secret gives the same cases; with a new one, new cases.
secret = "{secret}"

# The exercises, in the order of the hand-out, and what each is worth.
[points]
{points}

# What one exercise of one submission may use.
[limits]
seconds = 10        # by the clock
memory_mb = 1000
answer_mb = 16      # all arrays that it returns
"""


def _quoted(text: str) -> str:
    """`text` as a TOML string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else " " for c in escaped) + '"'


def _course(folder: Path, entries: dict) -> Course:
    known = {"title", "chapter", "deadline", "imports", "secret", "points", "limits"}
    if unknown := sorted(entries.keys() - known):
        raise CourseError(f"{unknown[0]!r} is no setting.{did_you_mean(unknown[0], known)}")
    for name in ("chapter", "secret", "points"):
        if name not in entries:
            raise CourseError(f"the setting {name!r} is missing.")
    chapter = _chapter(entries["chapter"])
    title = entries.get("title", chapter.title)
    if not isinstance(title, str):
        raise CourseError(f"title = {title!r}: a text in quotation marks was expected.")
    secret = entries["secret"]
    if not isinstance(secret, str) or len(secret) < 16:
        raise CourseError("secret must be a text of 16 characters or more.")
    deadline = entries.get("deadline")
    if deadline is not None and not (isinstance(deadline, datetime) and deadline.tzinfo):
        raise CourseError("deadline must be a time with its zone, as 2027-01-31T23:59:00+01:00.")
    return Course(
        folder=folder,
        title=title,
        chapter=chapter,
        points=_points(entries["points"], chapter),
        secret=secret,
        imports=_imports(entries.get("imports", ["numpy"])),
        deadline=deadline,
        limits=_limits(entries.get("limits", {})),
    )


def _chapter(number: object) -> catalogue.Chapter:
    written = {chapter.number: chapter for chapter in catalogue.written_chapters()}
    if type(number) is not int or number not in written:
        ready = ", ".join(map(str, written))
        raise CourseError(f"chapter is {number!r}; the chapters that are ready are {ready}.")
    return written[number]


def _gradable(chapter: catalogue.Chapter) -> list[Exercise]:
    return [e for e in catalogue.exercises_of(chapter.slug).values() if e.gradable]


def _exercise(name: str, chapter: catalogue.Chapter) -> Exercise:
    own = catalogue.exercises_of(chapter.slug)
    full = name if name in own else f"{chapter.slug}.{name}"
    if full not in own:
        raise CourseError(
            f"chapter {chapter.number} has no exercise {name!r}.{did_you_mean(name, own)} "
            f"It has: {', '.join(n.partition('.')[2] for n in own)}."
        )
    if not own[full].gradable:
        raise CourseError(
            f"{full} cannot be graded by a program: its answer is a program itself (a trained "
            "model), not numbers. Leave it out here and look at it yourself."
        )
    return own[full]


def _points(entries: object, chapter: catalogue.Chapter) -> dict[str, float]:
    if not isinstance(entries, dict) or not entries:
        raise CourseError("[points] is empty: at least one `exercise = points` was expected.")
    points: dict[str, float] = {}
    for name, worth in entries.items():
        if isinstance(worth, dict):
            raise CourseError(
                f'[points]: a name with a dot stands in quotes, as "{name}.NAME" = 2.'
            )
        full = _exercise(name, chapter).name
        if full in points:
            raise CourseError(f"{full} is named twice: each exercise once was expected.")
        points[full] = _worth(name, worth)
    return points


def _worth(name: str, points: object) -> float:
    if isinstance(points, bool) or not isinstance(points, (int, float)):
        raise CourseError(f"{name} = {points!r}: a number of points was expected.")
    if not 0 < points <= MOST:
        raise CourseError(
            f"{name} = {points!r}: a positive number of points was expected{_AT_MOST}."
        )
    return points


def _imports(names: object) -> tuple[str, ...]:
    if not (isinstance(names, list) and all(isinstance(n, str) for n in names)):
        raise CourseError('imports must be a list of names, as ["numpy", "scipy"].')
    for name in names:
        if not name.isidentifier():
            raise CourseError(f"imports: {name!r} is not the name of a package.")
        if name == "bigmodel_edu":
            raise CourseError(
                "imports: an answer cannot import bigmodel_edu, since the references are in it."
            )
    return tuple(dict.fromkeys(["numpy", *names]))


def _limits(entries: object) -> Limits:
    known = [field.name for field in fields(Limits)]
    if not isinstance(entries, dict) or (unknown := sorted(entries.keys() - {*known})):
        what = unknown[0] if isinstance(entries, dict) else entries
        raise CourseError(f"[limits]: {what!r} is no limit; the limits are {', '.join(known)}.")
    for name, value in entries.items():
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (is_number and 0 < value <= MOST):
            raise CourseError(
                f"[limits]: {name} = {value!r}: a positive number was expected{_AT_MOST}."
            )
    limits = Limits(**entries)
    if limits.memory_mb < LEAST_MEMORY_MB:
        raise CourseError(
            f"[limits]: memory_mb = {limits.memory_mb!r}: at least {LEAST_MEMORY_MB} was expected, "
            "since Python and NumPy take most of that themselves."
        )
    return limits
