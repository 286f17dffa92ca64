"""The notebooks that were handed in: found in folders, in zip files, or named one by one.

Nothing is unpacked to the disk, no link is followed, and nothing in a notebook is read here: its
bytes go to the student's process as they are.
"""

import io
import os
import re
import stat
import unicodedata
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from bigmodel_edu.course.grades import LATE, TWO_NOTEBOOKS
from bigmodel_edu.course.journal import FILE as JOURNAL
from bigmodel_edu.course.settings import Course, CourseError
from bigmodel_edu.errors import BookError

MAX_NOTEBOOK = 64_000_000  # bytes; of a zip file in a student's zip file as well
MAX_ARCHIVE = 256_000_000  # bytes of a student's zip file
MAX_ARCHIVES = 10  # zip files of one student, those in each other included
MAX_ENTRIES = 100_000  # files in them, together
MAX_FILES = 10_000  # notebooks of one student
MAX_DEPTH = 8  # folders inside each other
_NOTEBOOKS = (".ipynb", ".md")
_HANDED_IN = (*_NOTEBOOKS, ".zip")
_YEAR_9999 = 253_370_764_800  # seconds; no later time is a datetime
_NOT_HANDED_IN = {"__MACOSX", "__pycache__"}


@dataclass(frozen=True)
class Submission:
    """What one student handed in.

    student: the name of the folder or file in which it came.
    notebook: the name of the notebook in it, "" when there is none.
    flags: LATE, TWO_NOTEBOOKS.
    problem: why there is nothing to grade, "" when there is.
    """

    student: str
    notebook: str
    flags: tuple[str, ...] = ()
    problem: str = ""
    _open: Callable[[], bytes] = field(default=lambda: b"", repr=False)

    @property
    def is_markdown(self) -> bool:
        """Whether the notebook is MyST Markdown, not .ipynb."""
        return self.notebook.lower().endswith(".md")

    def read(self) -> bytes:
        """Return the notebook's bytes; they are read anew each time, so that none are kept.

        Raises Unreadable with the reason.
        """
        if self.problem:
            raise Unreadable(self.problem)
        return self._open()


class Unreadable(BookError, ValueError):
    """What was handed in cannot be read; the message is for its student."""


@dataclass(frozen=True)
class _File:
    """A file that was handed in: the folders that lead to it and its name, its age, its bytes."""

    parts: tuple[str, ...]
    modified: datetime
    read: Callable[[], bytes]
    problem: str = ""

    @property
    def name(self) -> str:
        return self.parts[-1]

    @property
    def suffix(self) -> str:
        return os.path.splitext(self.name)[1].lower()


@dataclass
class _Allowance:
    """How many zip files, and entries in them, are still looked at for one student."""

    archives: int = field(default_factory=lambda: MAX_ARCHIVES)
    entries: int = field(default_factory=lambda: MAX_ENTRIES)

    def takes(self, archive: io.BytesIO, name: str) -> None:
        """Count the entries of a zip file; Unreadable when they are too many."""
        # each entry begins with four bytes of its own, and costs memory
        self.entries -= archive.getvalue().count(b"PK\x01\x02")
        if self.entries < 0:
            raise Unreadable(
                f"The zip file {name} holds too many files: hand in the notebook alone."
            )


def collect(
    places: Sequence[Path | str], course: Course, *, leave_out: Sequence[Path] = ()
) -> list[Submission]:
    """Return what lies in `places`, one submission a student, in alphabetical order.

    A place is a folder or a zip file with one folder, one notebook or one zip file per student, or
    a single notebook. A notebook that is named as it was handed out and in no student's folder
    belongs to whom the place is named after. Of several notebooks of one student the one that is
    named as it was handed out counts, of several such the newest.
    leave_out: folders in `places` that hold something else, such as the results.
    """
    files: dict[str, list[_File]] = {}
    came_from: dict[str, Path] = {}
    left_out = set(map(os.path.realpath, leave_out))
    for place in map(Path, places):
        for student, found in _students(place, left_out, course.chapter.notebook):
            first = came_from.setdefault(student, place)
            if first != place:  # a student's zip file may hold a folder with another's name
                raise CourseError(
                    f"{student!r} comes from {first} and from {place}: name only one of them, or "
                    "put all students' folders and files into one folder and name that."
                )
            files.setdefault(student, []).extend(found)
        if place not in came_from.values():
            raise CourseError(
                f"No notebook was found in {place}: one folder, one .ipynb or .md file or one zip "
                "file per student was expected; name the folder or zip file that holds them all."
            )
    return [_chosen(student, files[student], course) for student in sorted(files)]


# Of several notebooks


def _chosen(student: str, files: list[_File], course: Course) -> Submission:
    handed_out = course.chapter.notebook
    notebooks = _notebooks(files, handed_out)
    if not notebooks:
        problems = [f.problem for f in files if f.problem and f.suffix in (*_HANDED_IN, "")]
        return Submission(student, "", problem=(problems or [_NO_NOTEBOOK])[0])
    best = max(notebooks, key=lambda file: _rank(file, handed_out))
    is_late = course.deadline is not None and best.modified > course.deadline
    flags = (LATE,) * is_late + (TWO_NOTEBOOKS,) * (len(notebooks) > 1)
    return Submission(student, "/".join(best.parts), flags, best.problem, best.read)


_NO_NOTEBOOK = "There is no notebook in what was handed in: a file .ipynb or .md was expected."


def _notebooks(files: list[_File], handed_out: str) -> list[_File]:
    """The files that are notebooks; other Markdown (a README) counts only if nothing else is."""
    named = [file for file in files if file.suffix in _NOTEBOOKS]
    sure = [file for file in named if file.suffix == ".ipynb" or file.name == f"{handed_out}.md"]
    return sure or named


def _rank(file: _File, handed_out: str) -> tuple:
    is_named_so = os.path.splitext(file.name)[0] == handed_out
    return (not file.problem, is_named_so, file.modified, file.suffix == ".ipynb", file.parts)


# Whose file it is


def _students(
    place: Path, leave_out: set[str], handed_out: str
) -> Iterator[tuple[str, list[_File]]]:
    """Yield the files of each student in one place, students without a notebook included."""
    if not os.path.exists(place):
        raise CourseError(f"There is no {place}: a folder, a zip file or a notebook was expected.")
    name = place.absolute().name
    if place.is_dir():
        files = list(_in_folder(place, leave_out))
        while wrapper := _wrapper(files, name, handed_out):
            place = place / wrapper
            files = list(_in_folder(place, leave_out))
    elif place.suffix.lower() in _NOTEBOOKS:
        files, name = [_on_disk(place, (place.name,))], place.absolute().parent.name
    elif place.is_file() and zipfile.is_zipfile(place):
        name = place.stem
        files = list(_in_archive(lambda: place))
        if wrapper := _wrapper(files, name, handed_out):
            files = [replace(f, parts=f.parts[1:]) for f in files if f.parts[0] == wrapper]
    else:
        raise CourseError(f"{place} is neither a folder nor a zip file nor a notebook.")
    students: dict[str, list[_File]] = {}
    for file in files:
        if student := _student(file):
            if len(file.parts) == 1 and student == handed_out:
                student = unicodedata.normalize("NFC", name) or student
            students.setdefault(student, []).append(file)
    yield from students.items()


def _student(file: _File) -> str:
    """Whose file it is, "" for a stray one beside the students' folders."""
    first = file.parts[0]
    if len(file.parts) == 1:
        if file.suffix not in _HANDED_IN:
            return ""
        first = os.path.splitext(first)[0]
    elif first.lower().endswith(".zip"):
        first = first[: -len(".zip")]
    return unicodedata.normalize("NFC", first)


def _wrapper(files: list[_File], place: str, handed_out: str) -> str:
    """Return the one folder in which all students' folders or notebooks lie, "" if none is."""
    own = [file for file in files if _student(file)]
    tops = {file.parts[0] for file in own}
    notebooks = [file for file in own if file.suffix in _NOTEBOOKS]
    in_top = [file for file in notebooks if len(file.parts) == 2]
    is_student = any(os.path.splitext(file.name)[0] == handed_out for file in in_top)
    if len(tops) != 1 or is_student or any(len(file.parts) == 1 for file in own):
        return ""
    (top,) = tops
    if top.lower().endswith(".zip"):  # a student's
        return ""
    folders = {file.parts[1] for file in notebooks if len(file.parts) > 2}
    has_many = len(folders) > 1 or sum(file.suffix == ".ipynb" for file in in_top) > 1
    return top if has_many or top == place else ""


# Files on the disk


def _in_folder(folder: Path, leave_out: set[str]) -> Iterator[_File]:
    """Yield the files of each student's folder, and the notebooks and zip files beside them."""
    try:
        entries = _entries(folder)
    except OSError as error:
        raise CourseError(f"{folder} cannot be read ({error.strerror}).") from error
    for entry in entries:
        if not _is_handed_in(entry.name) or os.path.realpath(entry.path) in leave_out:
            continue
        if entry.is_dir(follow_symlinks=False):
            files = _beneath(entry, (), _Allowance())
            found = [f for _, f in zip(range(MAX_FILES), files, strict=False)]
            if found or not os.path.exists(os.path.join(entry.path, JOURNAL)):  # older results
                yield from found or [_placeholder((entry.name, ""))]
        else:
            yield from _one_file(entry, (entry.name,), _Allowance())


def _beneath(folder: os.DirEntry, above: tuple[str, ...], allowance: _Allowance) -> Iterator[_File]:
    parts = (*above, folder.name)
    try:
        entries = _entries(folder.path) if len(parts) <= MAX_DEPTH else []
    except OSError as error:
        problem = f"The folder {folder.name} cannot be read ({error.strerror})."
        yield _placeholder((*parts, ""), problem)
        return
    for entry in entries:
        if not _is_handed_in(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _beneath(entry, parts, allowance)
        else:
            yield from _one_file(entry, (*parts, entry.name), allowance)


def _one_file(entry: os.DirEntry, parts: tuple[str, ...], allowance: _Allowance) -> Iterator[_File]:
    """Yield a notebook, or what is in a zip file; links, pipes and devices are none."""
    suffix = os.path.splitext(entry.name)[1].lower()
    if suffix in _HANDED_IN and entry.is_file(follow_symlinks=False):
        file = _on_disk(Path(entry.path), parts)
        yield from _opened(file, allowance) if suffix == ".zip" else [file]


def _entries(folder: Path | str) -> list[os.DirEntry]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _on_disk(path: Path, parts: tuple[str, ...]) -> _File:
    most = MAX_ARCHIVE if parts[-1].lower().endswith(".zip") else MAX_NOTEBOOK

    def read() -> bytes:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise Unreadable(f"{parts[-1]} is no file.")
                return _whole(file, parts[-1], most)
        except OSError as error:
            raise Unreadable(f"{parts[-1]} cannot be read ({error.strerror}).") from None

    try:
        about = path.stat()
    except OSError as error:
        return _placeholder(parts, f"{parts[-1]} cannot be read ({error.strerror}).")
    problem = _too_large(parts[-1], most) if about.st_size > most else ""
    modified = datetime.fromtimestamp(min(max(about.st_mtime, 0), _YEAR_9999), UTC)
    return _File(parts, modified, read, problem)


def _whole(file: io.BufferedIOBase, name: str, most: int) -> bytes:
    data = file.read(most + 1)
    if len(data) > most:
        raise Unreadable(_too_large(name, most))
    return data


def _too_large(name: str, most: int) -> str:
    return (
        f"{name} is larger than {most // 1_000_000} MB, more than is read here: clear the outputs "
        "of its cells and hand it in again."
    )


# Files in zip files


def _in_archive(
    source: Callable[[], Path | io.BytesIO],
    above: tuple[str, ...] = (),
    allowance: _Allowance | None = None,
    nested: bool = False,
) -> Iterator[_File]:
    """Yield the files in a zip file, and those in a zip file in it.

    source: gives what `zipfile` opens, anew each time.
    above: the parts that lead to the zip file, itself included; () for one that a lecturer names.
    allowance: of the student whose zip file it is; None for a lecturer's.
    A student's zip file that cannot be read is a file with a problem.
    """
    try:
        opened = source()
        if allowance:
            allowance.takes(opened, above[-1])
        with zipfile.ZipFile(opened) as archive:
            entries = archive.infolist()
    except Unreadable as error:
        yield _placeholder((*above, ""), str(error))
        return
    except Exception:  # bytes that are no zip file make `zipfile` raise errors of many kinds
        if not above:
            raise CourseError(f"The zip file {source()} is damaged.") from None
        yield _placeholder((*above, ""), f"The zip file {above[-1]} is damaged.")
        return
    files = [_entry(source, entry, above) for entry in entries if _is_file(entry)]
    files.sort(key=lambda file: file.suffix not in _HANDED_IN)
    if not above:  # students who handed in an empty folder
        yield from (_placeholder((*_parts(e), "")) for e in entries if e.is_dir() and _is_own(e))
    students = defaultdict(_Allowance)
    for file in files[:MAX_FILES] if above else files:
        if file.suffix != ".zip" or nested:
            yield file
        else:
            yield from _opened(file, allowance or students[file.parts[0]], nested=bool(above))
    if above and not files:
        yield _placeholder((*above, ""))


def _opened(file: _File, allowance: _Allowance, nested: bool = False) -> Iterator[_File]:
    """Yield the files in a student's zip file, or itself where too many were opened before."""
    allowance.archives -= 1
    if allowance.archives < 0:
        yield file
    elif file.problem:
        yield _placeholder((*file.parts, ""), file.problem)
    else:
        yield from _in_archive(lambda: io.BytesIO(file.read()), file.parts, allowance, nested)


def _is_file(entry: zipfile.ZipInfo) -> bool:
    """Whether a zip entry is an ordinary file, no link, pipe or device, that is handed in."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    return kind in (0, stat.S_IFREG) and not entry.is_dir() and _is_own(entry)


def _is_own(entry: zipfile.ZipInfo) -> bool:
    """Whether no part of an entry's path is a program's helper."""
    parts = _parts(entry)
    return bool(parts) and all(map(_is_handed_in, parts))


def _parts(entry: zipfile.ZipInfo) -> tuple[str, ...]:
    """The names in an entry's path; what would lead out of a folder is left out."""
    return tuple(part for part in re.split(r"[/\\]", entry.filename) if _is_name(part))


def _entry(
    source: Callable[[], Path | io.BytesIO], entry: zipfile.ZipInfo, above: tuple[str, ...]
) -> _File:
    parts = (*above, *_parts(entry))
    name = parts[-1]
    is_students_archive = name.lower().endswith(".zip") and not above
    most = MAX_ARCHIVE if is_students_archive else MAX_NOTEBOOK

    def read() -> bytes:
        try:
            with zipfile.ZipFile(source()) as archive, archive.open(entry) as file:
                return _whole(file, name, most)
        except Unreadable:
            raise
        except Exception as error:  # zlib, lzma and bz2 have errors of their own
            what = f"{name} cannot be read from its zip file ({type(error).__name__})."
            raise Unreadable(what) from None

    problem = _too_large(name, most) if entry.file_size > most else ""
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        problem = f"{name} is packed in an unusual way: hand it in as it is."  # unpacks unbounded
    if entry.flag_bits & 0x1:
        problem = f"{name} is encrypted: hand it in without a password."
    return _File(parts, _modified(entry), read, problem)


def _modified(entry: zipfile.ZipInfo) -> datetime:
    try:
        return datetime(*entry.date_time).astimezone(UTC)  # zip files hold local time
    except (ValueError, OverflowError):
        return datetime.fromtimestamp(0, UTC)


# Names


def _is_name(part: str) -> bool:
    return part not in ("", ".", "..") and not re.fullmatch(r"[A-Za-z]:", part)


def _is_handed_in(name: str) -> bool:
    """Whether a file or folder is the student's own, not a program's helper."""
    return not name.startswith(".") and name not in _NOT_HANDED_IN


def _placeholder(parts: tuple[str, ...], problem: str = "") -> _File:
    """Stands for a student from whom nothing can be read."""
    return _File(parts, datetime.fromtimestamp(0, UTC), lambda: b"", problem)
