"""What was graded already, a line of JSON for each event; a run that was killed goes on from it.

Lines are only ever added, and flushed one by one. Before an exercise of a submission is run,
`begin` is written, after it `grade`. One that was begun and has no grade was being run when the
grader was ended; if that happens to it twice, it is what ends the grader.
"""

import contextlib
import json
import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from bigmodel_edu.course.grades import Grade
from bigmodel_edu.course.settings import CourseError

FILE = "journal.jsonl"
Key = tuple[str, str, str, str]
"""Student, exercise, digest of the notebook, fingerprint of the settings."""


class Journal:
    """The journal in a folder for results; use it as a context manager, from any thread.

    Raises CourseError when another grader is at work there, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._grades: dict[Key, Grade] = {}
        self._ends: Counter[Key] = Counter()
        self._running: set[Key] = set()
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b")
        except OSError as error:
            raise CourseError(
                f"{self.path} cannot be written ({error.strerror}): name a folder for the results "
                "that you may write to, with -o."
            ) from error
        try:
            self._take()
            self._read()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        with contextlib.suppress(CourseError):
            for key in sorted(self._running):  # a person's Ctrl-C is nobody's fault
                self._add({"event": "interrupted", "key": key})
        with contextlib.suppress(OSError):  # of what could not be written
            self._file.close()

    def find(self, key: Key) -> Grade | None:
        """Return the grade that was given before."""
        return self._grades.get(key)

    def ends(self, key: Key) -> int:
        """Return how often the grader was ended while it ran this."""
        return self._ends[key]

    @property
    def suspects(self) -> set[str]:
        """The students of whom something was being run when the grader was ended."""
        return {student for (student, *_), ends in self._ends.items() if ends > 0}

    def begin(self, key: Key) -> None:
        """Note that this is run now."""
        with self._lock:
            self._running.add(key)
            self._add({"event": "begin", "key": key})

    def finish(self, key: Key, grade: Grade) -> None:
        """Note the grade."""
        with self._lock:
            self._add({"event": "grade", "key": key, "grade": grade.as_json()})
            self._grades[key] = grade
            self._running.discard(key)

    def _add(self, entry: Mapping) -> None:
        try:
            self._file.write(json.dumps(entry).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise CourseError(
                f"{self.path} cannot be written ({error.strerror}): make room, then run the same "
                "command again and it goes on from here."
            ) from error

    def _take(self) -> None:
        """Make sure that nobody else writes here."""
        import fcntl

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CourseError(
                f"Another grader is writing to {self.path.parent}: wait for it, or name another "
                "folder with -o."
            ) from None
        except OSError as error:
            raise CourseError(
                f"{self.path} cannot be locked ({error.strerror}): name a folder on another disk "
                "with -o."
            ) from error

    def _read(self) -> None:
        for entry in self._entries():
            key = tuple(entry["key"])
            if entry["event"] == "begin":
                self._ends[key] += 1
            elif entry["event"] == "interrupted":
                self._ends[key] -= 1
            else:
                self._grades[key] = Grade.from_json(entry["grade"])
                del self._ends[key]

    def _entries(self) -> Iterator[dict]:
        """Yield the events; a last line that was being written when the machine stopped is cut."""
        self._file.seek(0)
        good = 0
        for number, line in enumerate(self._file, start=1):
            if not line.endswith(b"\n"):
                os.ftruncate(self._file.fileno(), good)
                return
            try:
                yield _checked(json.loads(line))
            except (ValueError, KeyError, TypeError, RecursionError):
                raise CourseError(
                    f"Line {number} of {self.path} is damaged: mend or remove it, or grade into "
                    "another folder with -o."
                ) from None
            good += len(line)


def _checked(entry: dict) -> dict:
    """Return an event, or raise ValueError, KeyError or TypeError if it is none."""
    if entry["event"] not in ("begin", "interrupted", "grade"):
        raise ValueError(entry)
    if list(map(type, entry["key"])) != [str] * 4:
        raise ValueError(entry)
    if entry["event"] == "grade":
        Grade.from_json(entry["grade"])
    return entry
