"""The grader's side of a confined process: start it, hand it jobs, stop it in time."""

import contextlib
import json
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil

from bigmodel_edu.course import confinement, wire
from bigmodel_edu.course.settings import Limits
from bigmodel_edu.course.workshop import PACKAGE, Workshop
from bigmodel_edu.errors import BookError

MEGABYTE = 1_000_000
_START_SECONDS = 60
"""How long Python and NumPy may take to load."""
_GRACE_SECONDS = 5
"""How long after its time a process may take to be gone before its server is started anew."""
_POLL_SECONDS = 0.05
_MOST_WORDS = 100
"""Bytes of what the server says."""
STOP = b"!"
"""Tells the server to end its job; `child` knows it too."""


class NotConfinable(BookError, RuntimeError):
    """Nothing on this machine holds what a student's code may do."""


@dataclass(frozen=True)
class Job:
    """What a process has to do: take `function` out of a notebook and call it on each case."""

    notebook: bytes = field(repr=False)
    markdown: bool
    function: str
    cases: Sequence[tuple[tuple, dict]]

    def message(self) -> bytes:
        """The job as bytes; WireError when a case holds what cannot travel."""
        return wire.pack(
            {
                "notebook": np.frombuffer(self.notebook, dtype=np.uint8),
                "markdown": self.markdown,
                "function": self.function,
                "cases": [(tuple(args), dict(kwargs)) for args, kwargs in self.cases],
            }
        )


@dataclass(frozen=True)
class Outcome:
    """What came back, and how the process ended.

    data: messages as `child` describes them, each after its length; hostile until proved honest.
    end: "exited", "time", "memory", "too much", "exit N", "signal N", "lost".
    seconds: by the clock, the process's start included.
    """

    data: bytes = field(repr=False)
    end: str
    seconds: float

    @property
    def messages(self) -> tuple[Any, ...]:
        """The messages that can be read."""
        return wire.unpack_all(self.data)[0]


# The ways to hold a process


@dataclass(frozen=True)
class Holder:
    """A way to hold a process.

    words: for the results.
    forks: one waiting process forks one for every job; else each job starts Python anew.
    landlock, seccomp: whether the process applies them to itself.
    command: what Python is started through, given the paths that it may read.
    changes_user: whether `command` sees to it that the process is not root's.
    """

    words: str
    forks: bool = False
    landlock: bool = False
    seccomp: bool = False
    command: Callable[[list[str]], list[str]] = lambda readable: []
    changes_user: bool = False


UNCONFINED = Holder("NOT CONFINED: only time and memory are limited")


def holders() -> Iterator[Holder]:
    """The ways that this machine may offer, the best first; `probe` tells which of them hold."""
    if os.name != "posix":
        return
    seccomp = sys.platform == "linux" and confinement.has_seccomp()
    user = ", another user than root" if os.geteuid() == 0 else ""
    if seccomp and (version := confinement.landlock_version()):
        words = f"Landlock {version}, seccomp, resource limits{user}"
        yield Holder(words, forks=True, landlock=True, seccomp=True)
    if sys.platform == "linux" and shutil.which("bwrap"):
        words = f"bubblewrap{', seccomp' * seccomp}, resource limits{user}"
        yield Holder(words, seccomp=seccomp, command=_bubblewrap, changes_user=True)
    if sys.platform == "darwin" and shutil.which("sandbox-exec"):
        yield Holder("sandbox-exec, resource limits, memory watched", command=_sandbox_exec)


def _bubblewrap(readable: list[str]) -> list[str]:
    binds = [word for path in readable for word in ("--ro-bind-try", path, path)]
    apart = ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    if os.geteuid() == 0:
        apart += ["--unshare-user", "--uid", str(_nobody().pw_uid), "--gid", str(_nobody().pw_gid)]
    return ["bwrap", *apart, *binds, "--dev", "/dev", "--chdir", "/", "--"]


def _sandbox_exec(readable: list[str]) -> list[str]:
    paths = " ".join(f"(subpath {json.dumps(os.path.realpath(path))})" for path in readable)
    profile = f"""(version 1) (deny default)
(allow process-exec) (deny process-fork) (allow sysctl-read) (allow file-read-metadata)
(allow file-read* (literal "/") (subpath "/System") (subpath "/usr/lib") {paths})
(allow file-write-data (literal "/dev/null"))"""
    return ["sandbox-exec", "-p", profile]


def find_sandbox(
    workshop: Workshop, limits: Limits, *, allow_unconfined: bool = False
) -> "Sandbox":
    """Return a sandbox that holds all that `probe` tries; raise NotConfinable if there is none.

    allow_unconfined: then return one that is UNCONFINED instead of raising.
    """
    tried = []
    for holder in holders():
        sandbox = Sandbox(workshop, holder, limits)
        doors = probe(sandbox)
        if not doors:
            return sandbox
        sandbox.close()
        tried.append(f"{holder.words} leaves open: {', '.join(doors)}")
    if allow_unconfined and os.name == "posix":
        return Sandbox(workshop, UNCONFINED, limits)
    raise NotConfinable(
        "Nothing on this machine keeps the code of your students away from your files, the network "
        f"and other processes ({'; '.join(tried) or 'no way to do so was found'}). Grade on Linux "
        "5.13 or later, or install bubblewrap; if you trust every submission like a program that "
        "you start yourself, add --allow-unconfined (not on Windows: use WSL there)."
    )


_PROBE = """
def probe(secret, package, folder, process):
    import os, socket, subprocess, sys
    doors = {
        "reading files": lambda: open(secret).read(),
        "the references": lambda: open(package).read(),
        "writing files": lambda: open(folder + "/x", "w"),
        "the network": lambda: socket.socket(socket.AF_INET),
        "local sockets": lambda: socket.socket(socket.AF_UNIX),
        "new processes": lambda: subprocess.run([sys.executable, "-c", ""], check=True),
        "signals to others": lambda: os.kill(process, 0),
        "the grader's memory": lambda: open("/proc/" + str(process) + "/environ").read(),
        "10 GB of memory": lambda: np.ones(10**10, dtype=np.uint8),
        "the rights of root": lambda: 1 / (os.geteuid() != 0) - 1 or 1 / 0,
    }
    found = []
    for name, door in doors.items():
        try:
            door()
            found.append(name)
        except (OSError, MemoryError, subprocess.SubprocessError, ZeroDivisionError):
            pass
    return found
"""


def probe(sandbox: "Sandbox") -> list[str]:
    """Try the doors from inside, as a submission would; return what stands open.

    When the process cannot even be run, that is what is returned.
    """
    notebook = json.dumps({"cells": [{"cell_type": "code", "source": _PROBE}]}).encode()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        secret = os.path.join(folder, "secret")
        with open(secret, "w", encoding="utf-8") as file:
            file.write("secret")
        os.chmod(secret, 0o644)
        package = str(PACKAGE / "catalogue.py")
        arguments = (secret, package, folder, os.getpid())
        outcome = sandbox.run(Job(notebook, False, "probe", [(arguments, {})]))
    try:
        return outcome.messages[1]["answer"]
    except (IndexError, KeyError, TypeError):
        return [f"it does not run here ({outcome.end}, {outcome.messages!r:.200})"]


# Running jobs


class Sandbox:
    """Runs jobs one after the other, each in a fresh process; use it from one thread."""

    def __init__(self, workshop: Workshop, holder: Holder, limits: Limits) -> None:
        self.workshop, self.holder, self.limits = workshop, holder, limits
        self._server: _Server | None = None

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def another(self) -> "Sandbox":
        """Return a sandbox of the same kind, for another thread."""
        return Sandbox(self.workshop, self.holder, self.limits)

    def close(self) -> None:
        """Stop the process that waits for jobs."""
        if self._server:
            self._server.stop()
            self._server = None

    def run(self, job: Job) -> Outcome:
        """Run `job` in a process of its own; whatever that does, this returns in time."""
        started = time.monotonic()
        with tempfile.TemporaryFile() as file:
            file.write(job.message())
            file.seek(0)
            answers = _Answers(int(self.limits.answer_mb * MEGABYTE))
            with answers:
                run = self._in_fork if self.holder.forks else self._in_new_process
                end = run(file.fileno(), answers)
        return Outcome(bytes(answers.data), end, time.monotonic() - started)

    def _in_fork(self, job: int, answers: "_Answers") -> str:
        limits = {"seconds": self.limits.seconds, "memory": self.limits.memory_mb * MEGABYTE}
        try:
            if self._server is None:
                self._server = _Server(self._command(), self._setup())
            return self._server.run(limits, job, answers)
        except OSError:  # the server is gone
            self.close()
            return "lost"

    def _in_new_process(self, job: int, answers: "_Answers") -> str:
        limits = {"seconds": self.limits.seconds, "memory": self.limits.memory_mb * MEGABYTE}
        out = answers.writing
        setup = self._setup(once=True, out=out, limits=limits)
        process = _start([*self._command(), json.dumps(setup)], job, [out])
        answers.nobody_else_writes()
        try:
            return _watch(process, answers, self.limits)
        finally:
            _kill(process)

    def _command(self) -> list[str]:
        python = [sys.executable, "-I", "-S", "-B", str(self.workshop.program)]
        return [*self.holder.command(self.workshop.readable), *python]

    def _setup(self, **more: Any) -> dict:
        """What `child` has to know."""
        setup = {
            "once": False,
            "landlock": self.holder.landlock,
            "seccomp": self.holder.seccomp,
            "imports": self.workshop.imports,
            "readable": self.workshop.readable,
        }
        if os.geteuid() == 0 and not self.holder.changes_user:
            nobody = _nobody()
            keep = not self.workshop.is_open_to_all
            setup |= {"uid": nobody.pw_uid, "gid": nobody.pw_gid, "keep_reading": keep}
        return setup | more


class _Answers:
    """A pipe for the messages of one process, read up to a number of bytes."""

    def __init__(self, most: int) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        self.most, self.data = most + MEGABYTE, bytearray()
        self.is_closed = False

    def __enter__(self) -> "_Answers":
        return self

    def __exit__(self, *_: object) -> None:
        self.nobody_else_writes()
        os.close(self.reading)

    def nobody_else_writes(self) -> None:
        """Close this side's end for writing, so that the end of the process ends the pipe."""
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1

    @property
    def overflowed(self) -> bool:
        return len(self.data) > self.most

    def read(self) -> None:
        """Take what has come, without waiting for more."""
        while not (self.overflowed or self.is_closed):
            try:
                block = os.read(self.reading, 1 << 20)
            except BlockingIOError:
                return
            self.data += block
            self.is_closed = not block


class _Server:
    """The process that forks one process for each job."""

    def __init__(self, command: list[str], setup: dict) -> None:
        # messages keep their bounds: a stop that comes too late is no part of the next job
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            setup = setup | {"control": theirs.fileno()}
            arguments = [*command, json.dumps(setup)]
            self.process = _start(arguments, subprocess.DEVNULL, [theirs.fileno()])
        self.control.settimeout(_START_SECONDS)
        if self.control.recv(_MOST_WORDS) != b"ready":
            self.stop()
            raise OSError("the process for students' code did not start")

    def stop(self) -> None:
        """End the process; what it was doing ends with it."""
        self.control.close()
        _kill(self.process)

    def run(self, limits: dict, job: int, answers: _Answers) -> str:
        """Let it do a job, read the answers meanwhile, return how the process ended."""
        socket.send_fds(self.control, [json.dumps(limits).encode()], [job, answers.writing])
        answers.nobody_else_writes()
        deadline = time.monotonic() + limits["seconds"] + _GRACE_SECONDS
        told = False
        while (left := deadline - time.monotonic()) > 0:
            pipes = [self.control] if answers.is_closed or told else [self.control, answers.reading]
            ready, _, _ = select.select(pipes, [], [], left)
            if answers.reading in ready:
                answers.read()
            if answers.overflowed and not told:
                self.control.send(STOP)
                told = True
            if self.control in ready:
                if not (end := self.control.recv(_MOST_WORDS).decode()):
                    raise OSError("the process for students' code has gone")
                answers.read()
                return "too much" if told else end
        raise OSError("the process for students' code does not answer")


def _start(arguments: list[str], stdin: int, descriptors: list[int]) -> subprocess.Popen:
    return subprocess.Popen(
        arguments,
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=descriptors,
        env=_environment(),
        cwd="/",
        start_new_session=True,
    )


def _environment() -> dict[str, str]:
    """Nothing of the grader's own, but what NumPy needs to compute as it does in the grader."""
    kept = {k: v for k, v in os.environ.items() if k.startswith("OPENBLAS_") or k == "PATH"}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return kept | threads | {"LANG": "C.UTF-8", "HOME": "/nonexistent"}


def _watch(process: subprocess.Popen, answers: _Answers, limits: Limits) -> str:
    """Follow a process that no server looks after; return how it ended.

    Its time runs from its first message, when Python and NumPy are there.
    """
    deadline = time.monotonic() + limits.seconds + _GRACE_SECONDS
    has_begun = False
    while time.monotonic() < deadline:
        select.select([answers.reading], [], [], _POLL_SECONDS)
        answers.read()
        if answers.data and not has_begun:
            has_begun, deadline = True, min(deadline, time.monotonic() + limits.seconds)
        if answers.overflowed:
            return "too much"
        if process.poll() is not None:
            answers.read()
            return _how(process.returncode)
        if _memory(process.pid) > limits.memory_mb * MEGABYTE:
            return "memory"
        if answers.is_closed:
            time.sleep(_POLL_SECONDS)
    return "time"


def _how(code: int) -> str:
    """How a process ended; bubblewrap adds 128 to the number of a signal."""
    number = -code if code < 0 else code - 128
    return f"signal {number}" if number > 0 else f"exit {code}" if code else "exited"


def _memory(pid: int) -> int:
    """Bytes that a process and its children hold."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return sum(member.memory_info().rss for member in family)
    except psutil.Error:
        return 0


def _kill(process: subprocess.Popen) -> None:
    """End a process and its group, and wait until it is gone."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(process.pid, signal.SIGKILL)
    process.wait()


def _nobody() -> pwd.struct_passwd:
    """The user without rights that takes root's place."""
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        return pwd.struct_passwd(("nobody", "", 65534, 65534, "", "/", ""))
