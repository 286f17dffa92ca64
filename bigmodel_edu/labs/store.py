"""The reader's progress, kept in one JSON file that survives a kernel restart.

The file is `.bigmodel/progress.json` in the book's folder, or in the folder that the
environment variable BIGMODEL_STATE_DIR names. A damaged file is set aside, never overwritten;
a folder that cannot be written costs the reader the record, not the check.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bigmodel_edu.labs.display import say
from bigmodel_edu.labs.files import write_atomically

STATE_VARIABLE = "BIGMODEL_STATE_DIR"
LOCK_PATIENCE, LOCK_LIFETIME = 3.0, 10.0  # seconds


@dataclass(frozen=True)
class Record:
    """What is known of one exercise. `last` is the latest outcome, "" before the first."""

    passed: bool = False
    last: str = ""
    points: int = 0
    attempts: int = 0
    hints: int = 0


_DEFAULTS = asdict(Record())


def state_folder() -> Path:
    """Folder of the progress file: BIGMODEL_STATE_DIR, or `.bigmodel` in the book's folder.

    The book's folder is the nearest parent of the current folder that holds `pyproject.toml`
    or `chapters`, else the current folder itself.
    """
    if override := os.environ.get(STATE_VARIABLE):
        return Path(override)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "pyproject.toml").is_file() or (folder / "chapters").is_dir():
            return folder / ".bigmodel"
    return here / ".bigmodel"


def load() -> dict[str, Record]:
    """Return the record of every exercise met so far; a broken file is set aside."""
    path = state_folder() / "progress.json"
    try:
        text = path.read_text(encoding="utf-8")
        return _parse(text)
    except FileNotFoundError:
        return {}
    except OSError as error:
        say(f"Your progress in {path} cannot be read ({error.strerror}).")
    except (ValueError, TypeError, KeyError, AttributeError):
        _set_aside(path)
    return {}


def record(exercise: str, status: str, points: int) -> None:
    """Keep the outcome of a check; a pass is never taken back, a blank is no attempt."""

    def change(old: Record) -> Record:
        return replace(
            old,
            last=status,
            passed=old.passed or status == "passed",
            points=max(old.points, points),
            attempts=old.attempts + (status != "not attempted"),
        )

    _update(exercise, change)


def use_hint(exercise: str, available: int) -> int:
    """Count one more hint, at most `available`; return the number of the hint to show, from 1."""
    return _update(exercise, lambda old: replace(old, hints=min(old.hints + 1, available))).hints


def _update(exercise: str, change: Callable[[Record], Record]) -> Record:
    """Read, change and write under the lock; one sentence when the folder is not writable."""
    folder = state_folder()
    new = change(Record())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / "progress.lock"):
            records = load()
            new = records[exercise] = change(records.get(exercise, Record()))
            state = {"exercises": {name: asdict(r) for name, r in sorted(records.items())}}
            write_atomically(folder / "progress.json", json.dumps(state, indent=1) + "\n")
    except OSError as error:
        say(
            f"Your progress could not be kept in {folder} ({error.strerror}): make the folder "
            f"writable or name another in {STATE_VARIABLE}; everything else works."
        )
    return new


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file, so that two kernels do not lose each other's attempts.

    A lock older than LOCK_LIFETIME belongs to a kernel that died. After LOCK_PATIENCE the
    write goes ahead all the same: a lost attempt is better than a notebook that hangs.
    """
    deadline = time.monotonic() + LOCK_PATIENCE
    held = False
    while not held and time.monotonic() < deadline:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            held = True
        except (FileExistsError, PermissionError):  # Windows: the other is just deleting it
            if not path.exists() and not os.access(path.parent, os.W_OK):
                raise
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > LOCK_LIFETIME:
                    path.unlink()
            time.sleep(0.01)
    try:
        yield
    finally:
        if held:
            path.unlink(missing_ok=True)


def _parse(text: str) -> dict[str, Record]:
    """Raise ValueError, TypeError, KeyError or AttributeError for what is no progress file."""
    records = {}
    for name, entry in json.loads(text)["exercises"].items():
        known = {key: value for key, value in entry.items() if key in _DEFAULTS}
        for key, value in known.items():
            if type(value) is not type(_DEFAULTS[key]):
                raise TypeError(f"{name}: {key} is {value!r}")
        records[name] = Record(**known)
    return records


def _set_aside(path: Path) -> None:
    number = 1
    while (aside := path.with_name(f"progress.broken-{number}.json")).exists():
        number += 1
    try:
        path.rename(aside)
    except FileNotFoundError:  # another kernel was faster
        return
    except OSError as error:
        say(f"Your progress file {path} is damaged and cannot be renamed ({error.strerror}).")
        return
    say(f"Your progress file was damaged: it is kept as {aside}, and a new one begins.")
