"""A pytest plugin: where the time of a run went, by chapter and by kind of test.

CONTRIBUTING.md says what a chapter may take.
"""

import re
from collections import defaultdict

from bigmodel_edu.catalogue import CHAPTERS

KINDS = ("notebooks", "kernels", "exercises", "the rest")
HOUSE = ("course", "data", "browser")
OTHERS = "the house"
SLUGS = "|".join(chapter.slug for chapter in CHAPTERS)
IN_FOLDER = re.compile(rf"^tests/(?P<slug>{SLUGS})/")
IN_NAME = re.compile(rf"[\[_-](?P<slug>{SLUGS})[\].-]")


class Times:
    """Seconds of tests by row and kind; setting up and taking down count, waiting does not."""

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, str], float] = defaultdict(float)

    def pytest_runtest_logreport(self, report) -> None:
        self.seconds[row_of(report.nodeid), kind_of(report.nodeid)] += report.duration

    def pytest_terminal_summary(self, terminalreporter) -> None:
        few = sum(self.seconds.values()) < 60
        if few and terminalreporter.config.option.verbose <= 0:
            return
        terminalreporter.section("where the time went, in seconds of one worker")
        for line in self.table():
            terminalreporter.write_line(line)

    def table(self) -> list[str]:
        chapters = [chapter.slug for chapter in CHAPTERS]
        rows = [*chapters, *HOUSE, OTHERS]
        rows = [row for row in rows if any((row, kind) in self.seconds for kind in KINDS)]
        lines = [f"{'':20}" + "".join(f"{heading:>11}" for heading in (*KINDS, "together"))]
        lines += [self._line(row, [row]) for row in rows]
        return [*lines, self._line("together", rows)]

    def _line(self, name: str, rows: list[str]) -> str:
        numbers = [sum(self.seconds.get((row, kind), 0) for row in rows) for kind in KINDS]
        return f"{name:20}" + "".join(f"{seconds:11.0f}" for seconds in (*numbers, sum(numbers)))


def row_of(nodeid: str) -> str:
    """The chapter that a test is about, or the part of the house."""
    path, _, name = nodeid.partition("::")
    if found := IN_FOLDER.search(path) or IN_NAME.search(f"[{name.partition('[')[2]}"):
        return found["slug"]
    return next((part for part in HOUSE if path.startswith(f"tests/{part}/")), OTHERS)


def kind_of(nodeid: str) -> str:
    path = nodeid.partition("::")[0]
    if path.startswith("tests/notebooks/"):
        return "notebooks"
    if path.startswith("tests/exercises/"):
        return "exercises"
    is_of_kernels = path.startswith("tests/cuda/") or path.endswith("/test_kernels.py")
    return "kernels" if is_of_kernels else "the rest"


def pytest_configure(config) -> None:
    if not hasattr(config, "workerinput"):  # with xdist, only the process that reports
        config.pluginmanager.register(Times(), "times-of-tests")
