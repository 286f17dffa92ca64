"""How long `bigmodel course grade` takes, how much memory, and how nbgrader does beside it.

    python scripts/bench_grading.py [--students 300] [--json]

Every student hands in ten exercises of chapter 1, solved, each in a notebook of its own. nbgrader
gets ten of them, as its own release of the same lab; both commands are run three times, in turn,
and the medians are what is told.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated

import nbformat
import psutil
import typer
from nbformat.v4 import new_markdown_cell

from bigmodel_edu.bench import processor
from bigmodel_edu.course.nbgrader import release_for_nbgrader, solution_of
from bigmodel_edu.course.settings import Course, new_course
from bigmodel_edu.course.whole_class import grade_course

EXERCISES = [
    "neuron",
    "softmax",
    "relu_backward",
    "linear_backward",
    "numerical_gradient",
    "topological_order",
    "adam_step",
    "batch_norm_backward",
    "dropout",
    "macro_f1",
]
BESIDE_NBGRADER = 10


def hand_in(course: Course, released: Path, folder: Path, students: int) -> None:
    """Write a solved notebook for each student, as nbgrader lays them out."""
    notebook = nbformat.read(released, as_version=4)
    solutions = {e.name.partition(".")[2]: solution_of(course, e) for e in course.exercises}
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        cell.source = solutions.get(name, cell.source)
    for number in range(students):
        path = folder / f"student{number:03}" / course.folder.name / released.name
        path.parent.mkdir(parents=True)
        own = notebook.copy()
        own.cells = [*notebook.cells, new_markdown_cell(f"Student {number}", id="own")]
        nbformat.write(own, path)


def timed(folder: Path, *words: str | Path) -> float:
    """Run a module's command in a folder and return its seconds, Python's start included."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": programs}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # each start would compile the book anew
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
    )
    return time.monotonic() - started


class Memory:
    """The grader's resident memory after each third of its work, in MB."""

    def __init__(self) -> None:
        self.thirds: list[float] = []

    def __call__(self, done: int, total: int) -> None:
        while done >= total * (len(self.thirds) + 1) / 3 and done:
            self.thirds.append(psutil.Process().memory_info().rss / 1e6)


def measure(students: int) -> dict:
    """Return all numbers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        course = new_course(folder / "lab1", 1, EXERCISES)
        theirs = folder / "nbgrader"
        _, source = release_for_nbgrader(course, theirs)
        timed(theirs, "nbgrader", "generate_assignment", "lab1")
        released = theirs / "release" / "lab1" / source.name
        everybody, memory = folder / "submissions", Memory()
        hand_in(course, released, everybody, students)
        started = time.monotonic()
        graded = grade_course(course, [everybody], folder / "results", progress=memory)
        seconds = time.monotonic() - started
        assert all(grade.points == grade.of for grade in graded.grades)
        softmax = [g.seconds for g in graded.grades if g.exercise.endswith(".softmax")]

        ten = theirs / "submitted"
        hand_in(course, released, ten, BESIDE_NBGRADER)
        autograde = ("nbgrader", "autograde", "lab1", "--create", "--force")
        grade = ("bigmodel_edu.cli", "course", "grade", ten, "--course", "lab1", "-o")
        runs = [
            (timed(theirs, *autograde), timed(folder, *grade, f"ten-{number}"))
            for number in range(3)
        ]
        seconds_of_nbgrader, seconds_beside = map(median, zip(*runs, strict=True))
        again = json.loads((folder / "ten-0" / "grades.json").read_text(encoding="utf-8"))
        assert [s["points"] for s in again["students"]] == [course.total] * BESIDE_NBGRADER
    return {
        "machine": f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "confinement": graded.confinement,
        "students": students,
        "exercises": len(EXERCISES),
        "seconds": seconds,
        "seconds_of_softmax_median": median(softmax),
        "seconds_of_softmax_largest": max(softmax),
        "memory_mb_after_each_third": memory.thirds,
        "seconds_of_nbgrader_for_ten": seconds_of_nbgrader,
        "seconds_for_the_same_ten": seconds_beside,
        "times_as_fast": seconds_of_nbgrader / seconds_beside,
    }


def main(students: int = 300, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    found = measure(students)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        print(f"{name.replace('_', ' '):32} {value}")


if __name__ == "__main__":
    typer.run(main)
