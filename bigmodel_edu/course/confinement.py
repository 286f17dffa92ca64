"""What a student's process may do on Linux: Landlock, a seccomp filter, limits, no privileges.

Landlock (Linux 5.13 and later) restricts what a process can open, seccomp which system calls the
kernel answers. Both need neither root nor a package, only a process that gives up for good its
right to gain privileges. They are applied in a process that has just been forked and that runs
nothing else; they cannot be undone, and everything that the process starts inherits them.

Sources: the kernel's documentation, userspace-api/landlock and userspace-api/seccomp_filter; the
numbers of system calls are those of asm/unistd_64.h and asm-generic/unistd.h.

This file also runs in the student's process, so it imports nothing from the book.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterable

_libc = ctypes.CDLL(None, use_errno=True)

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS = 1, 4, 8
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38


class NotConfined(OSError):
    """The kernel refused a part of the confinement."""


def _call(what: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise NotConfined(number, f"{what}: {os.strerror(number)}")
    return result


def _prctl(what: str, option: int, argument: int | ctypes.c_void_p) -> None:
    _call(what, _libc.prctl(option, argument, 0, 0, 0))


# Landlock: which files can be opened

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_PATH_BENEATH = 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
READ = READ_FILE | READ_DIR
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # number of rights that each version knows
_NETWORK_RIGHTS = {4: 2}
_SCOPES = {6: 2}  # abstract Unix sockets, signals


def landlock_version() -> int:
    """The version of Landlock that this kernel offers, 0 where it offers none."""
    if sys.platform != "linux":
        return 0
    return max(0, _libc.syscall(_LANDLOCK_CREATE, None, 0, 1))


def landlock_rules(readable: Iterable[str]) -> int:
    """Return a descriptor of rules that allow reading beneath these paths, and nothing else.

    Whatever the kernel's version knows is denied: all other files, TCP, abstract Unix sockets, and
    signals to processes that are not under the same rules. A path that is missing is left out.
    """
    version = landlock_version()

    def bits(table: dict[int, int]) -> int:
        known = [number for since, number in table.items() if since <= version]
        return (1 << max(known)) - 1 if known else 0

    attributes = struct.pack("<QQQ", bits(_FILE_RIGHTS), bits(_NETWORK_RIGHTS), bits(_SCOPES))
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = _call("landlock_create_ruleset", _libc.syscall(_LANDLOCK_CREATE, attributes, size, 0))
    for path in readable:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            rights = READ if os.path.isdir(path) else READ_FILE
            rule = struct.pack("<Qi", rights, place)
            added = _libc.syscall(_LANDLOCK_ADD, rules, _PATH_BENEATH, rule, 0)
            _call(f"landlock_add_rule for {path}", added)
        finally:
            os.close(place)
    return rules


def apply_landlock(rules: int) -> None:
    """Put this process under `rules`; `no_new_privileges` must have been called."""
    _call("landlock_restrict_self", _libc.syscall(_LANDLOCK_RESTRICT, rules, 0))


def no_new_privileges() -> None:
    """Give up for good to gain privileges, by set-user-ID programs or otherwise."""
    _prctl("no_new_privs", PR_SET_NO_NEW_PRIVS, 1)


# seccomp: which system calls are answered

# What Python and NumPy need to compute and to read files; everything else fails with EPERM.
_ALLOWED = {  # name: number on x86-64, on arm64; None where it does not exist
    "read": (0, 63),
    "write": (1, 64),
    "open": (2, None),
    "openat": (257, 56),
    "close": (3, 57),
    "stat": (4, None),
    "lstat": (6, None),
    "fstat": (5, 80),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "access": (21, None),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getdents64": (217, 61),
    "getcwd": (79, 17),
    "lseek": (8, 62),
    "pread64": (17, 67),
    "readv": (19, 65),
    "writev": (20, 66),
    "fadvise64": (221, 223),
    "dup": (32, 23),
    "poll": (7, None),
    "ppoll": (271, 73),
    "select": (23, None),
    "pselect6": (270, 72),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "brk": (12, 214),
    "membarrier": (324, 283),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "rt_sigtimedwait": (128, 137),
    "sigaltstack": (131, 132),
    "pause": (34, None),
    "restart_syscall": (219, 128),
    "alarm": (37, None),
    "getitimer": (36, 102),
    "setitimer": (38, 103),
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "set_tid_address": (218, 96),
    "arch_prctl": (158, None),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "getcpu": (309, 168),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "times": (100, 153),
    "getrusage": (98, 165),
    "getrlimit": (97, 163),
    "getrandom": (318, 278),
    "getpid": (39, 172),
    "getppid": (110, 173),
    "gettid": (186, 178),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "uname": (63, 160),
    "sysinfo": (99, 179),
}
_CLONE, _CLONE3 = (56, 220), (435, 435)
_KILL, _TGKILL = (62, 129), (234, 131)
_IOCTL, _FCNTL, _PRLIMIT = (16, 29), (72, 25), (302, 261)
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_CLONE_THREAD = 0x00010000
_TCGETS, _FIOCLEX = 0x5401, 0x5451
_FCNTL_COMMANDS = [0, 1, 2, 3, 1030]  # duplicate, flags; not F_SETOWN, which can send signals
_EPERM, _ENOSYS = 1, 38
_RET_ALLOW, _RET_ERRNO, _RET_KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _JUMP_EQUAL, _JUMP_SET, _RETURN = 0x20, 0x15, 0x45, 0x06
_AT_NUMBER, _AT_ARCHITECTURE, _AT_ARGUMENTS = 0, 4, 16


def has_seccomp() -> bool:
    """Whether there is a filter for this machine."""
    return sys.platform == "linux" and platform.machine() in _ARCHITECTURES


def apply_seccomp() -> None:
    """Let this process compute, read and start threads; deny processes, sockets, all the rest.

    It may send signals to nobody but itself. `no_new_privileges` must have been called.
    """
    program = b"".join(_filter(os.getpid()))
    code = ctypes.create_string_buffer(program)
    length = len(program) // 8
    header = ctypes.create_string_buffer(struct.pack("<H6xQ", length, ctypes.addressof(code)))
    address = ctypes.c_void_p(ctypes.addressof(header))
    _call("seccomp", _libc.prctl(PR_SET_SECCOMP, 2, address, 0, 0))


def _filter(pid: int) -> Iterable[bytes]:
    """A program of the Berkeley Packet Filter: one instruction of 8 bytes after the other."""
    column, architecture = _ARCHITECTURES[platform.machine()]

    def argument(number: int) -> int:
        return _AT_ARGUMENTS + 8 * number  # its lower half: both machines are little-endian

    yield _instruction(_LOAD, _AT_ARCHITECTURE)
    yield _instruction(_JUMP_EQUAL, architecture, 1, 0)
    yield _instruction(_RETURN, _RET_KILL)
    yield _instruction(_LOAD, _AT_NUMBER)
    for numbers in _ALLOWED.values():
        if numbers[column] is not None:
            yield from _if_equal(numbers[column], _RET_ALLOW)
    yield from _if_equal(_CLONE3[column], _RET_ERRNO | _ENOSYS)  # the C library then takes clone
    yield from _where(_CLONE[column], argument(0), _JUMP_SET, [_CLONE_THREAD])
    yield from _where(_KILL[column], argument(0), _JUMP_EQUAL, [pid])
    yield from _where(_TGKILL[column], argument(0), _JUMP_EQUAL, [pid])
    yield from _where(_IOCTL[column], argument(1), _JUMP_EQUAL, [_TCGETS, _FIOCLEX])
    yield from _where(_FCNTL[column], argument(1), _JUMP_EQUAL, _FCNTL_COMMANDS)
    yield from _where(_PRLIMIT[column], argument(0), _JUMP_EQUAL, [0, pid])
    yield _instruction(_RETURN, _RET_ERRNO | _EPERM)


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _if_equal(number: int, verdict: int) -> Iterable[bytes]:
    yield _instruction(_JUMP_EQUAL, number, 0, 1)
    yield _instruction(_RETURN, verdict)


def _where(number: int, argument: int, test: int, values: list[int]) -> Iterable[bytes]:
    """Allow system call `number` where its argument passes the test with one of the values."""
    yield _instruction(_JUMP_EQUAL, number, 0, 2 + 2 * len(values))
    yield _instruction(_LOAD, argument)
    for value in values:
        yield _instruction(test, value, 0, 1)
        yield _instruction(_RETURN, _RET_ALLOW)
    yield _instruction(_RETURN, _RET_ERRNO | _EPERM)


# Limits and privileges

MAX_PROCESSES, MAX_OPEN_FILES = 256, 64


def apply_limits(memory: int, seconds: float) -> None:
    """Limit address space (bytes), processor time, files written (none), open files, processes."""
    cpu = int(seconds) + 2  # the clock strikes first; this is for threads that compute together
    for name, value in (
        ("RLIMIT_CORE", 0),
        ("RLIMIT_FSIZE", 0),
        ("RLIMIT_MSGQUEUE", 0),
        ("RLIMIT_MEMLOCK", 0),
        ("RLIMIT_NOFILE", MAX_OPEN_FILES),
        ("RLIMIT_NPROC", MAX_PROCESSES),
        ("RLIMIT_CPU", cpu),
        ("RLIMIT_AS", memory),
    ):
        which = getattr(resource, name, None)
        if which is None:
            continue  # macOS lacks some
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(which, (value, value))
        except (OSError, ValueError) as error:
            if sys.platform == "linux":
                raise NotConfined(0, f"{name}: {error}") from error


_CAPABILITIES_VERSION = 0x20080522
_CAP_DAC_READ_SEARCH = 2


def drop_privileges(uid: int, gid: int, keep_reading: bool) -> None:
    """Become an ordinary user for good; root's limits would not bind.

    keep_reading: keep the single capability of reading where file modes forbid it, for packages
        that only root can read. Landlock says which files those are.
    """
    if keep_reading:
        _prctl("keep capabilities", PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    kept = (1 << _CAP_DAC_READ_SEARCH) if keep_reading else 0
    header = struct.pack("<Ii", _CAPABILITIES_VERSION, 0)
    data = struct.pack("<6I", kept, kept, 0, 0, 0, 0)
    if hasattr(_libc, "capset"):
        _call("capset", _libc.capset(header, data))


def die_with(parent: int) -> None:
    """End this process when its parent ends; a change of user would forget it again."""
    _prctl("death with its parent", PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended before
        os._exit(1)


def quiet_signals() -> None:
    """Handle signals as a new program does, whatever the parent did with them."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
