"""How many threads the arithmetic of NumPy, SciPy and PyTorch uses.

A product of small matrices is over before a second thread has begun, and where other programs are
busy, the threads wait for each other. So the book's notebooks compute with one, see
`limit_threads`; a product that is large enough to share out may be given all:

    with all_threads():
        y = x @ w
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bigmodel_edu.errors import BookError

CHOICE = "BIGMODEL_THREADS"
VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class NotACount(BookError, ValueError):
    """The environment variable BIGMODEL_THREADS holds neither a number nor "all"."""


def limit_threads() -> None:
    """Compute with one thread from now on, or with as many as BIGMODEL_THREADS says.

    `import bigmodel_edu.labs` does it in a notebook. Libraries that are loaded later and processes
    that are started later read the number from the environment.
    """
    count = chosen()
    os.environ.update(dict.fromkeys(VARIABLES, str(count)))
    _use(count)


@contextmanager
def all_threads() -> Iterator[None]:
    """Let the arithmetic inside use every processor that this process may run on."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    try:
        with _use(processors()):
            yield
    finally:
        if torch:
            torch.set_num_threads(before)


def chosen() -> int:
    """Return the number of threads that BIGMODEL_THREADS asks for, 1 where it is not set."""
    text = (os.environ.get(CHOICE) or "1").strip().lower()
    if text == "all":
        return processors()
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    raise NotACount(
        f"{CHOICE} is {text!r}, expected a whole number from 1 on, or all: unset it for one thread."
    )


def processors() -> int:
    """Return how many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # a container or a cluster may allow fewer than there are
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _use(count: int):
    """Set what is loaded; the limits that are returned can be taken back, by `with`."""
    from threadpoolctl import threadpool_limits

    if torch := sys.modules.get("torch"):
        torch.set_num_threads(count)
    return threadpool_limits(count)
