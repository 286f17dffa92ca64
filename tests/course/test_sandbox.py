"""The confined process itself: doors that are shut, ends that are seen, and nothing left behind.

What students hand in to use such doors is graded in test_hostile.py; here each is tried by name.
"""

import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from bigmodel_edu.course import confinement, sandbox
from bigmodel_edu.course.sandbox import UNCONFINED, Job, NotConfinable, Sandbox, find_sandbox
from bigmodel_edu.course.settings import CourseError, Limits
from bigmodel_edu.course.workshop import PACKAGE, Workshop

LIMITS = Limits(seconds=1, memory_mb=600, answer_mb=4)
HOLDERS = list(sandbox.holders())


@pytest.fixture(scope="module")
def workshop():
    with Workshop() as workshop:
        yield workshop


@pytest.fixture(scope="module", params=HOLDERS, ids=lambda holder: holder.words.partition(",")[0])
def held(request, workshop):
    """A sandbox for each way that holds on this machine."""
    with Sandbox(workshop, request.param, Limits()) as tried:
        doors = sandbox.probe(tried)
    if doors and "does not run here" in doors[0]:
        pytest.skip(doors[0])
    assert not doors
    with Sandbox(workshop, request.param, LIMITS) as held:
        yield held


def job(source: str, *cases: tuple, function: str = "f") -> Job:
    notebook = json.dumps({"cells": [{"cell_type": "code", "source": source}]}).encode()
    return Job(notebook, False, function, [(case, {}) for case in cases or [()]])


def answers(outcome) -> list:
    return [message.get("answer", message) for message in outcome.messages[1:]]


def run(held: Sandbox, body: str, *case):
    """Run the body of a function of `x`, and return its one answer."""
    source = "def f(x=None):\n" + "\n".join(f"    {line}" for line in body.splitlines())
    outcome = held.run(job(source, case))
    assert outcome.end == "exited", outcome
    return answers(outcome)[0]


# Honest work


def test_arrays_go_in_and_come_out(held):
    x = np.arange(6.0).reshape(2, 3)
    source = "import numpy as np\ndef f(x, n=1): return x.T * n, x.sum()"
    outcome = held.run(Job(job(source).notebook, False, "f", [((x,), {}), ((x,), {"n": 2})]))
    assert outcome.end == "exited"
    assert outcome.messages[0] == {"ready": True, "faults": [], "left": ""}
    (first, total), (second, _) = answers(outcome)
    np.testing.assert_array_equal(first, x.T)
    np.testing.assert_array_equal(second, 2 * x.T)
    assert total == 15


def test_a_changed_argument_is_told(held):
    source = "def f(x, y, z): x[0] = 1; z['a'].append(2)"
    zeros = np.zeros(2)
    outcome = held.run(Job(job(source).notebook, False, "f", [((zeros, zeros), {"z": {"a": [1]}})]))
    assert outcome.messages[1]["changed"] == [0, "z"]
    assert not zeros.any()


def test_errors_come_with_their_line(held):
    outcome = held.run(job("def f():\n    x = 1\n    return x / 0"))
    error = outcome.messages[1]["error"]
    assert error["type"] == "ZeroDivisionError"
    assert error["line"] == "return x / 0 (in f)"


def test_what_failed_before_is_told(held):
    outcome = held.run(job("import no_such_package\ndef f(): return no_such_package"))
    assert outcome.messages[0]["faults"][0]["type"] == "ModuleNotFoundError"
    assert outcome.messages[1]["error"]["type"] == "NameError"


def test_the_book_is_not_there(held):
    assert run(held, "import bigmodel_edu")["error"]["type"] == "ModuleNotFoundError"


def test_nothing_is_left_of_the_one_before(held):
    body = "import sys, builtins\nold = getattr(builtins, 'mark', 0)\nbuiltins.mark = 1\nreturn old"
    assert [run(held, body) for _ in range(3)] == [0, 0, 0]


def test_it_is_nobody_in_an_empty_environment(held):
    assert run(held, "import os\nreturn os.geteuid() != 0 or os.getuid() != 0")
    names = run(held, "import os\nreturn sorted(os.environ)")
    assert not [name for name in names if "TOKEN" in name or "BIGMODEL" in name or "SECRET" in name]


# Doors

DOORS = {
    "reading a file": "open('/etc/passwd').read()",
    "reading the book": f"open({str(PACKAGE / 'catalogue.py')!r}).read()",
    "reading the tests": f"open({str(Path(__file__))!r}).read()",
    "listing a folder": "os.listdir('/home') + os.listdir('/root') + os.listdir('/etc')",
    "listing processes": "os.listdir('/proc')",
    "the grader's memory": "open(f'/proc/{parent}/mem', 'rb')",
    "the grader's environment": "open(f'/proc/{parent}/environ').read()",
    "its own memory": "open('/proc/self/mem', 'r+b')",
    "writing here": "open('x', 'w')",
    "writing to /tmp": "open('/tmp/x', 'w')",
    "writing to shared memory": "open('/dev/shm/x', 'w')",
    "a temporary file": "tempfile.TemporaryFile()",
    "a folder": "os.mkdir('/tmp/x')",
    "a pipe with a name": "os.mkfifo('/tmp/x')",
    "a symbolic link": "os.symlink('/etc/passwd', '/tmp/x')",
    "a hard link": "os.link('/etc/passwd', '/tmp/x')",
    "removing": "os.unlink(wire)",
    "rights": "os.chmod(wire, 0)",
    "times": "os.utime(wire)",
    "renaming": "os.rename(wire, wire + 'x')",
    "cutting": "os.truncate(wire, 0)",
    "TCP": "socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
    "UDP": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "IPv6": "socket.socket(socket.AF_INET6)",
    "local sockets": "socket.socket(socket.AF_UNIX)",
    "netlink": "socket.socket(16, socket.SOCK_RAW, 0)",
    "a pair of sockets": "socket.socketpair()",
    "a child": "os.fork()",
    "a program": "subprocess.run(['/bin/true'], check=True)",
    "another program": "os.execv('/bin/true', ['true'])",
    "signals to the grader": "os.kill(parent, 0)",
    "signals to all": "os.kill(-1, 0)",
    "signals to the first": "os.kill(1, 0)",
    "a new session": "os.setsid()",
    "priorities": "os.nice(-5)",
    "the scheduler": "os.sched_setaffinity(0, {0})",
    "another root": "os.chroot('/')",
    "another user": "os.setuid(0)",
    "limits": "resource.setrlimit(resource.RLIMIT_AS, (2**40, 2**40))",
    "limits of others": "resource.prlimit(parent, resource.RLIMIT_NOFILE)",
    "shared memory": "shared_memory.SharedMemory(create=True, size=10)",
    "processes of Python": "multiprocessing.Pool(2)",
    "descriptors of processes": "os.pidfd_open(parent)",
    "memory files": "os.memfd_create('x')",
    "events": "os.eventfd(0)",
}
CALLS = {  # name: number on x86-64, arguments; each has to fail
    "ptrace": (101, 16, "parent", 0, 0),
    "process_vm_readv": (310, "parent", 0, 0, 0, 0, 0),
    "bpf": (321, 0, 0, 0),
    "perf_event_open": (298, 0, 0, -1, -1, 0),
    "io_uring_setup": (425, 8, 0),
    "userfaultfd": (323, 0),
    "keyctl": (250, 0, -3, 0),
    "add_key": (248, 0, 0, 0, 0, 0),
    "mount": (165, 0, 0, 0, 0, 0),
    "unshare": (272, 0x10000000),
    "setns": (308, 0, 0),
    "clone with a new user": (56, 0x10000000 | 17, 0, 0, 0, 0),
    "open_by_handle_at": (304, -100, 0, 0),
    "shmget": (29, 0, 4096, 0o1600),
    "semget": (64, 0, 1, 0o1600),
    "mq_open": (240, 0, 0o100, 0o600, 0),
    "inotify_init": (253,),
    "timer_create": (222, 1, 0, 0),
    "personality": (135, 0xFFFFFFFF),
    "kexec_load": (246, 0, 0, 0, 0),
    "tkill": (200, 1, 0),
    "rt_sigqueueinfo": (129, 1, 0, 0),
    "a call of the x32 kind": (0x40000000 | 39,),
}


PRIVATE = {"writing here", "writing to /tmp", "writing to shared memory", "a temporary file"}
"""In bubblewrap these are files in memory: the process's own, empty, and gone with it."""

TRY_DOORS = """
import multiprocessing, os, resource, signal, socket, subprocess, tempfile
from multiprocessing import shared_memory

def is_open(door, **names):
    try:
        eval(door, globals() | names)
    except (OSError, ImportError, ValueError, AttributeError, subprocess.SubprocessError):
        return False
    return True

def f(doors, parent, wire):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    return [name for name, door in doors.items() if is_open(door, parent=parent, wire=wire)]
"""
TRY_CALLS = """
import ctypes

def f(calls, parent):
    libc, found = ctypes.CDLL(None, use_errno=True), {}
    for name, call in calls.items():
        result = libc.syscall(*(parent if word == "parent" else word for word in call))
        found[name] = (result, ctypes.get_errno())
    return found
"""


def test_every_door_is_shut(held):
    wire = str(held.workshop.folder / "wire.py")
    with Sandbox(held.workshop, held.holder, Limits()) as patient:
        outcome = patient.run(job(TRY_DOORS, (DOORS, os.getpid(), wire)))
    assert outcome.end == "exited", (outcome.end, outcome.messages)
    allowed = PRIVATE if held.holder.words.startswith("bubblewrap") else set()
    assert set(answers(outcome)[0]) <= allowed


def test_the_doors_are_doors(workshop):
    """Where nothing is shut, they are open: the test above could fail."""
    with Sandbox(workshop, UNCONFINED, LIMITS) as held:
        doors = {name: DOORS[name] for name in ("reading a file", "TCP", "listing processes")}
        outcome = held.run(job(TRY_DOORS, (doors, os.getpid(), "")))
    assert answers(outcome)[0] == list(doors)


@pytest.mark.skipif("x86_64" not in os.uname().machine, reason="the numbers are those of x86-64")
def test_every_other_system_call_is_refused(held):
    with Sandbox(held.workshop, held.holder, Limits()) as patient:
        outcome = patient.run(job(TRY_CALLS, (CALLS, os.getpid())))
    found = answers(outcome)[0]
    assert found.keys() == CALLS.keys()
    for name, (result, error) in found.items():
        assert result == -1, name
        assert error in (errno.EPERM, errno.ENOSYS), name


def test_descriptors_of_the_grader_are_closed(held):
    body = """\
import os
found = []
for descriptor in range(3, 1024):
    try:
        found.append((descriptor, os.fstat(descriptor).st_mode >> 12))
    except OSError:
        pass
return found"""
    kinds = [kind for _, kind in run(held, body)]
    assert len(kinds) <= 2  # the job, which is its own, and the pipe for its answers
    assert set(kinds) <= {0o10, 0o1}  # a file, a pipe


# Ends

ENDS = {
    "os._exit(3)": "exit 3",
    "os.kill(os.getpid(), 9)": "signal 9",
    "ctypes.string_at(0)": "signal 11",
    "time.sleep(60)": "time",
    "exec('while True: pass')": "time",
    "[signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; time.sleep(60)": "time",
    "threading.Thread(target=time.sleep, args=(60,)).start(); os._exit(0)": "exited",
    "np.zeros(10**7)": "too much",
}


@pytest.mark.parametrize(("body", "end"), ENDS.items(), ids=ENDS)
def test_how_a_process_ended_is_told_and_the_next_one_works(held, body, end):
    started = time.monotonic()
    imports = "import ctypes, os, signal, threading, time"
    source = f"{imports}\ndef f():\n    return {body.replace('; ', ', ')}"
    outcome = held.run(job(source))
    assert outcome.end == end, outcome
    assert time.monotonic() - started < LIMITS.seconds + 6
    assert run(held, "return 5") == 5


@pytest.mark.parametrize(
    "body", ["np.ones(5 * 10**10, np.uint8)", "[np.ones(10**8) for _ in range(99)]"]
)
def test_memory_ends_before_the_machine_does(held, body):
    outcome = held.run(job(f"import numpy as np\ndef f(): return {body}"))
    last = outcome.messages[-1] if outcome.messages else {}
    assert outcome.end in ("memory", "signal 9") or last["error"]["type"] == "MemoryError"
    assert run(held, "return 5") == 5


def test_a_flood_that_ends_by_itself_takes_nothing_with_it(held):
    """The order to stop it comes too late, and must not reach the next job."""
    if not held.holder.forks:
        pytest.skip("every job has a process of its own")
    enough = int(LIMITS.answer_mb * 1_000_000) + sandbox.MEGABYTE + 30_000
    source = f"""\
import os
def f():
    for descriptor in range(3, 64):
        try:
            left = {enough}
            while left > 0:
                left -= os.write(descriptor, b"x" * min(left, 100_000))
        except OSError:
            pass
    os._exit(0)"""
    stop = threading.Event()
    busy = threading.Thread(target=lambda: [sum(range(1000)) for _ in iter(stop.is_set, True)])
    busy.start()  # another worker of the grader, so that the order comes late
    try:
        found = []
        for _ in range(15):
            held.run(job(source))
            found.append(answers(held.run(job("def f(): return 5"))))
    finally:
        stop.set()
        busy.join()
    assert found == [[5]] * 15


def test_no_process_is_left(workshop):
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    for holder in HOLDERS:
        with Sandbox(workshop, holder, LIMITS) as held:
            held.run(job("import os\ndef f():\n    while True: os.fork()"))
            held.run(job("def f():\n    while True: pass"))
    deadline = time.monotonic() + 5
    while left := {p.pid for p in psutil.Process().children(recursive=True)} - before:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_the_end_of_the_server_ends_what_it_runs(held):
    if not held.holder.forks:
        pytest.skip("every job has a process of its own")
    waiting = held.another()
    waiting.limits = Limits(seconds=60)
    runner = threading.Thread(
        target=waiting.run, args=(job("import time\ndef f():\n    time.sleep(60)"),)
    )
    runner.start()
    deadline = time.monotonic() + 10
    while not (waiting._server and psutil.Process(waiting._server.process.pid).children()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (running,) = psutil.Process(waiting._server.process.pid).children()
    time.sleep(0.5)  # it has given up its rights by now
    waiting._server.process.kill()
    runner.join(10)
    assert not runner.is_alive()
    assert running.wait(5) is None  # gone: raises TimeoutExpired else


def cmdline_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_the_end_of_the_grader_ends_what_it_runs(workshop, tmp_path):
    """Killed without a word, it leaves nobody behind."""
    code = """
import sys
from bigmodel_edu.course.sandbox import Job, find_sandbox
from bigmodel_edu.course.settings import Limits
from bigmodel_edu.course.workshop import Workshop
import json
loop = "def f():\\n    while True: pass"
notebook = json.dumps({"cells": [{"cell_type": "code", "source": loop}]})
with Workshop() as workshop:
    print(workshop.folder, flush=True)
    held = find_sandbox(workshop, Limits(seconds=100))
    print("running", flush=True)
    held.run(Job(notebook.encode(), False, "f", [((), {})]))
"""
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    )
    folder = process.stdout.readline().strip()
    assert process.stdout.readline() == "running\n"
    time.sleep(1)
    process.kill()
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 10
    while any(
        folder in " ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"])
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_definition_that_does_not_compile_gives_way_to_one_that_does(held):
    found, answer = held.run(job("def f(): return 5\nclass f:\n    return 6")).messages
    assert answer["answer"] == 5
    assert found["faults"][0]["type"] == "SyntaxError"


def test_two_sandboxes_do_not_disturb_each_other(workshop):
    found = []

    def work(held: Sandbox, body: str) -> None:
        with held:
            for _ in range(20):
                found.append(answers(held.run(job(f"def f(): return {body}")))[:1])

    first = find_sandbox(workshop, Limits(seconds=3))
    threads = [
        threading.Thread(target=work, args=pair)
        for pair in ((first, "5"), (first.another(), "__import__('os')._exit(1)"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count([5]) == 20
    assert found.count([]) == 20


# Finding a way


def test_where_nothing_holds_nothing_runs(workshop, monkeypatch):
    monkeypatch.setattr(sandbox, "holders", lambda: iter([UNCONFINED]))
    with pytest.raises(NotConfinable, match=r"leaves open: .*reading files.* --allow-unconfined"):
        find_sandbox(workshop, Limits())
    allowed = find_sandbox(workshop, Limits(), allow_unconfined=True)
    assert allowed.holder is UNCONFINED
    monkeypatch.setattr(sandbox, "holders", lambda: iter([]))
    with pytest.raises(NotConfinable, match="no way to do so was found"):
        find_sandbox(workshop, Limits())


def test_unconfined_it_still_ends_in_time_and_tells_arrays(workshop):
    with Sandbox(workshop, UNCONFINED, LIMITS) as held:
        assert run(held, "return x + 1", 4) == 5
        assert held.run(job("def f():\n    while True: pass")).end == "time"


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(CourseError, match="'no_such_package', which is not installed here"):
        Workshop(("numpy", "no_such_package"))


def test_a_package_that_the_course_allows_can_be_imported():
    with (
        Workshop(("numpy", "scipy")) as workshop,
        find_sandbox(workshop, Limits()) as held,
    ):
        assert run(held, "from scipy.special import expit\nreturn expit(0.0)") == 0.5
        assert run(held, "import torch")["error"]["type"] == "ModuleNotFoundError"


# The filter


@pytest.mark.parametrize(("machine", "column"), [("x86_64", 0), ("aarch64", 1)])
def test_the_filter_is_short_enough_and_jumps_within_itself(monkeypatch, machine, column):
    monkeypatch.setattr(confinement.platform, "machine", lambda: machine)
    program = list(confinement._filter(1234))
    assert len(program) < 4096
    assert all(len(instruction) == 8 for instruction in program)
    numbers = [n[column] for n in confinement._ALLOWED.values() if n[column] is not None]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("column", [0, 1])
def test_the_numbers_are_those_of_the_kernels_headers(column):
    names = ("asm/unistd_64.h", "asm-generic/unistd.h")
    folders = ("/usr/include", f"/usr/include/{os.uname().machine}-linux-gnu")
    paths = [Path(folder, names[column]) for folder in folders]
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        pytest.skip("the kernel's headers are not installed")
    known = {}
    for line in path.read_text().splitlines():
        words = line.replace("__NR3264_", "__NR_").split()
        if len(words) >= 3 and words[0] == "#define" and words[1].startswith("__NR_"):
            known[words[1].removeprefix("__NR_")] = words[2]
    for name, numbers in confinement._ALLOWED.items():
        if numbers[column] is not None and name in known and known[name].isdecimal():
            assert numbers[column] == int(known[name]), name


def test_sockets_of_the_grader_are_out_of_reach(held):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0bigmodel-test-of-the-sandbox")
        server.listen()
        body = """\
import socket
with socket.socket(socket.AF_UNIX) as s:
    s.connect("\\0bigmodel-test-of-the-sandbox")"""
        assert run(held, body)["error"]["type"] == "PermissionError"
