"""The process in which answers are read and compared, with limits of its own.

Answers come from students' code and may be made so that comparing them never ends, or takes all
memory. Here they can take SECONDS and MEMORY_MB; then the process is ended, and another one takes
its place. The grader itself never looks at an answer.
"""

import contextlib
import json
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from typing import BinaryIO

import psutil

from bigmodel_edu import catalogue
from bigmodel_edu.course.feedback import judge_data
from bigmodel_edu.course.grades import FAILED, Result
from bigmodel_edu.course.settings import Limits
from bigmodel_edu.course.task import Task

SECONDS = 20
MEMORY_MB = 2_000  # beyond what the process needs for itself
_START_SECONDS = 120


class JudgeProcess:
    """Judges the answers to a course's exercises, one after the other, for any thread."""

    def __init__(self, tasks: Sequence[Task], seconds: float = SECONDS) -> None:
        self.tasks, self.seconds = {task.exercise.name: task for task in tasks}, seconds
        self._process: subprocess.Popen | None = None
        self._is_ready = False
        self._lock = threading.Lock()

    def __enter__(self) -> "JudgeProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            with contextlib.suppress(OSError):  # what was still to be sent
                self._process.stdin.close()
            self._process = None

    def judge(self, task: Task, digest: str, data: bytes, end: str) -> Result:
        """Return what `data`, the messages of a process that ended with `end`, is worth.

        When the process dies, which may be another one's fault, a new one is asked once more.
        """
        with self._lock:
            for _ in range(2):
                try:
                    return self._ask(task, digest, data, end)
                except TimeoutError:
                    self.close()
                    break
                except (OSError, EOFError):
                    self.close()
        return Result(
            FAILED,
            cases=len(task.cases(digest)),
            message=f"The answer could not be compared within {self.seconds:g} seconds and "
            f"{MEMORY_MB:,} MB: it has a form that nobody would expect.",
        )

    def _ask(self, task: Task, digest: str, data: bytes, end: str) -> Result:
        process = self._process or self.start()
        if not self._is_ready:
            self._wait_until_ready(process)
        about = {"exercise": task.exercise.name, "digest": digest, "end": end}
        _write(process.stdin, json.dumps(about).encode(), data)
        if not select.select([process.stdout], [], [], self.seconds)[0]:
            raise TimeoutError
        (answer,) = _read(process.stdout, 1)
        return _result(json.loads(answer))

    def start(self) -> subprocess.Popen:
        """Start the process without waiting for it; `judge` would start it, too."""
        # -P: no module is imported from the current folder, which may hold students' files
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __spec__.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        tasks = [
            {"exercise": task.exercise.name, "of": task.of, "secret": task.secret}
            | {"imports": task.imports, "limits": asdict(task.limits)}
            for task in self.tasks.values()
        ]
        _write(self._process.stdin, json.dumps(tasks).encode())
        self._is_ready = False
        return self._process

    def _wait_until_ready(self, process: subprocess.Popen) -> None:
        if not select.select([process.stdout], [], [], _START_SECONDS)[0]:
            raise RuntimeError("the process that compares answers did not start")
        _read(process.stdout, 1)
        self._is_ready = True


def _result(entry: dict) -> Result:
    details, flags = tuple(map(tuple, entry["details"])), tuple(entry["flags"])
    return Result(**entry | {"details": details, "flags": flags})


# Parts of known length


def _write(pipe: BinaryIO, *parts: bytes) -> None:
    for part in parts:
        pipe.write(struct.pack("<Q", len(part)) + part)
    pipe.flush()


def _read(pipe: BinaryIO, count: int) -> list[bytes]:
    """Read so many parts; EOFError when the other side has gone."""
    parts = []
    for _ in range(count):
        head = pipe.read(8)
        if len(head) < 8:
            raise EOFError
        (length,) = struct.unpack("<Q", head)
        part = pipe.read(length)
        if len(part) < length:
            raise EOFError
        parts.append(part)
    return parts


# In the process


def main() -> None:
    """Judge what comes on standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a person's Ctrl-C is for the grader
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    (entries,) = _read(requests, 1)
    tasks = {entry["exercise"]: _task(entry) for entry in json.loads(entries)}
    _limit_memory()
    _write(answers, b"ready")
    while True:
        try:
            about, data = _read(requests, 2)
        except EOFError:
            return
        request = json.loads(about)
        signal.alarm(SECONDS + 5)  # should the grader be gone
        result = judge_data(tasks[request["exercise"]], request["digest"], data, request["end"])
        signal.alarm(0)
        try:
            _write(answers, json.dumps(asdict(result)).encode())
        except BrokenPipeError:  # the grader is gone
            os._exit(0)


def _task(entry: dict) -> Task:
    return Task(
        exercise=catalogue.exercise(entry["exercise"]),
        of=entry["of"],
        secret=entry["secret"],
        imports=tuple(entry["imports"]),
        limits=Limits(**entry["limits"]),
    )


def _limit_memory() -> None:
    most = psutil.Process().memory_info().vms + MEMORY_MB * 1_000_000
    with contextlib.suppress(OSError, ValueError):  # macOS knows the limit and ignores it
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
