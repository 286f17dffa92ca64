"""The student's side: a process that runs one function on arrays and sends back arrays.

`python -I -S child.py SETUP` loads NumPy and waits. For each job it forks a process that gives
up all its rights (see `confinement`), reads the job, runs it, writes its answers and dies. The
process that waits never reads a job, so that nothing of one student is in the memory of the next.
With `"once"` in its SETUP it does one job itself, inside whatever holds it.

It knows neither the book nor the course: it runs beside copies of `wire`, `answers` and
`confinement` in a folder of their own, and imports nothing else but NumPy and what the course
allows.
"""

import contextlib
import importlib
import json
import linecache
import os
import select
import signal
import socket
import struct
import sys
import traceback
import types

MAX_TEXT = 2_000
"""Characters of an error message that are reported."""
FILE_NAME = "<your notebook>"
STOP = b"!"
"""What the grader sends when it has seen enough of a job."""


# One job: from its bytes to its answers


def run_job(job: int, out: int) -> None:
    """Read a job from the descriptor `job`, write one message for each case to `out`.

    The first message says what was found in the notebook, each later one what a case gave.
    """
    import wire
    from answers import NoNotebook, answer

    with open(job, "rb") as file:
        task = wire.unpack(file.read(), given=_given_class)
    notebook = task["notebook"].tobytes()
    try:
        found = answer(notebook, task["markdown"], task["function"])
    except NoNotebook as error:
        return _send(out, {"unreadable": str(error)})
    function, faults = _define(found.source, task["function"])
    if not callable(function):
        return _send(out, {"found": found.found, "faults": faults, "problem": found.problem})
    _send(out, {"ready": True, "faults": faults, "left": found.left})
    for args, kwargs in task["cases"]:
        _send(out, _run_case(function, args, kwargs))
    return None


def _define(source: str, name: str):
    """Return what `name` is, and the errors of the definitions that failed.

    They run one by one, so that one that fails does not take along the others. If `name` is bound
    to something else later, as in `softmax = softmax(z)`, it is the last that could be called.
    """
    import ast

    import numpy as np

    module = types.ModuleType("answer")
    sys.modules["answer"] = module  # dataclasses and pickle look their module up
    vars(module).update(np=np, numpy=np)
    linecache.cache[FILE_NAME] = (len(source), None, source.splitlines(keepends=True), FILE_NAME)
    faults, found = [], None
    for node in ast.parse(source).body:
        try:
            code = compile(ast.Module([node], []), FILE_NAME, "exec")
            exec(code, vars(module))
        except BaseException as error:
            faults.append(_describe_error(error))
        value = vars(module).get(name)
        found = value if callable(value) else found
    if found is not None:
        vars(module)[name] = found
    return found, faults


def _run_case(function, args: tuple, kwargs: dict) -> dict:
    import wire

    before = _fingerprints(wire, args, kwargs)
    try:
        value = function(*args, **kwargs)
        if isinstance(value, types.GeneratorType):
            value = list(value)
        wire.pack(value)  # whatever cannot travel is found here
        after = _fingerprints(wire, args, kwargs)
        return {"answer": value, "changed": [key for key in before if before[key] != after[key]]}
    except wire.WireError as error:
        return {"unusable": str(error)}
    except BaseException as error:
        return {"error": _describe_error(error)}


def _fingerprints(wire, args: tuple, kwargs: dict) -> dict:
    """The bytes of each argument, by its place or name: they tell whether it was changed."""
    return {key: wire.pack(value) for key, value in [*enumerate(args), *kwargs.items()]}


def _describe_error(error: BaseException) -> dict:
    """An exception as texts: its type, its message, its repr, and the line where it arose."""
    entry = {"type": type(error).__name__[:100], "message": "", "repr": "", "line": ""}
    with contextlib.suppress(BaseException):
        entry["message"] = str(error)[:MAX_TEXT]
        entry["repr"] = repr(error)[:MAX_TEXT]
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if frame.filename == FILE_NAME]
        if own:
            entry["line"] = f"{own[-1].line} (in {own[-1].name})"[:MAX_TEXT]
    return entry


def _send(out: int, value) -> None:
    import wire

    message = wire.pack(value)
    data = memoryview(struct.pack("<Q", len(message)) + message)
    while data:
        data = data[os.write(out, data) :]


def _given_class(chapter: str, name: str):
    return getattr(importlib.import_module(f"given_{chapter}"), name)


# The process that does a job


def do_job(setup: dict, limits: dict, job: int, out: int) -> None:
    """Confine this process, run the job in it, and end it; never returns."""
    code = 1
    try:
        _confine(setup, limits, keep={job, out})
        run_job(job, out)
        code = 0
    except BaseException as error:
        with contextlib.suppress(BaseException):
            _send(out, {"broken": _describe_error(error)})
    finally:
        os._exit(code)


def _confine(setup: dict, limits: dict, keep: set[int]) -> None:
    import confinement

    if not setup["once"]:
        os.setsid()
    confinement.quiet_signals()
    rules = setup.get("rules")
    _close_all(keep | ({rules} if rules is not None else set()))
    os.chdir("/")
    if "uid" in setup:
        confinement.drop_privileges(setup["uid"], setup["gid"], setup["keep_reading"])
    if not setup["once"]:
        confinement.die_with(setup["server"])
    confinement.apply_limits(int(limits["memory"]), limits["seconds"])
    if rules is not None or setup["seccomp"]:
        confinement.no_new_privileges()
    if rules is not None:
        confinement.apply_landlock(rules)
        os.close(rules)
    if setup["seccomp"]:
        confinement.apply_seccomp()


def _close_all(keep: set[int]) -> None:
    """Close every descriptor but `keep`; 0, 1 and 2 become /dev/null."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    last = 2
    for descriptor in sorted(d for d in keep if d > 2):
        os.closerange(last + 1, descriptor)
        last = descriptor
    os.closerange(last + 1, 4096)


# The process that waits


def serve(setup: dict, control: socket.socket) -> None:
    """Fork a process for every job that comes over `control`, until it is closed."""
    import confinement

    setup["server"] = os.getpid()
    if setup["landlock"]:
        setup["rules"] = confinement.landlock_rules(setup["readable"])
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 4096, 2)
        if not message:
            return
        if message == STOP:  # the job that it was for has ended by itself
            continue
        limits = json.loads(message)
        job, out = descriptors
        pid = os.fork()
        if pid == 0:
            do_job(setup, limits, job, out)
        os.close(job)
        os.close(out)
        control.send(_watch(pid, limits["seconds"], control).encode())


def _watch(pid: int, seconds: float, control: socket.socket) -> str:
    """Wait for a process and return how it ended.

    Its group is killed when time is up or the grader has seen enough.
    """
    handle = os.pidfd_open(pid)
    try:
        ready, _, _ = select.select([handle, control], [], [], seconds)
        end = "exited" if handle in ready else "told" if ready else "time"
        if control in ready:
            control.recv(len(STOP))
        _kill_group(pid)
        _, status = os.waitpid(pid, 0)
    finally:
        os.close(handle)
    if end == "exited" and os.WIFSIGNALED(status):
        end = f"signal {os.WTERMSIG(status)}"
    elif end == "exited" and os.WEXITSTATUS(status):
        end = f"exit {os.WEXITSTATUS(status)}"
    return end


def _kill_group(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _do_one_job_in_vain() -> None:
    """What Python makes when it does a thing for the first time, no fork has to make again."""
    import numpy as np
    import wire

    source = "def f(x):\n    return [x + 1]"
    notebook = json.dumps({"cells": [{"cell_type": "code", "source": source}]}).encode()
    job, out = os.memfd_create("job"), os.open(os.devnull, os.O_WRONLY)
    task = {"notebook": np.frombuffer(notebook, dtype=np.uint8), "markdown": False}
    os.write(job, wire.pack(task | {"function": "f", "cases": [((np.ones(2),), {})]}))
    os.lseek(job, 0, os.SEEK_SET)
    run_job(job, out)
    os.close(out)


def main(setup: dict) -> None:
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))
    sys.dont_write_bytecode = True
    for name in ("wire", "answers", "confinement"):  # before the doors close
        importlib.import_module(name)
    for name in setup["imports"]:
        with contextlib.suppress(Exception):  # what is missing is missed where it is imported
            importlib.import_module(name)
    if setup["once"]:
        do_job(setup, setup["limits"], os.dup(0), setup["out"])
    control = socket.socket(fileno=setup["control"])
    _do_one_job_in_vain()
    control.send(b"ready")
    serve(setup, control)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
