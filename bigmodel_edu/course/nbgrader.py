"""The same assignment for a course that lives in nbgrader: its source notebook, with hidden tests.

nbgrader makes the students' version of it (`generate_assignment`), runs what they hand in
(`autograde`) and writes the points (`export`). It calls their code in the process that judges it,
so it can be cheated where `bigmodel course grade` cannot.

Source: https://nbgrader.readthedocs.io, "Creating and grading assignments", metadata schema 3.
"""

import ast
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from bigmodel_edu.course.answers import answer
from bigmodel_edu.course.points import seed_of
from bigmodel_edu.course.release import (
    KERNEL,
    SETUP,
    AssignmentTask,
    book_notebook,
    tasks,
    title_cell,
    write_all,
)
from bigmodel_edu.course.settings import Course
from bigmodel_edu.exercise import Exercise
from bigmodel_edu.labs.notebooks import ANSWER

_RULES = """\
**What counts.** When it is graded, your notebook is run from top to bottom, and each function is
called on other numbers. Every case that is right earns its share of the points."""


def release_for_nbgrader(course: Course, folder: Path | str, force: bool = False) -> list[Path]:
    """Write nbgrader's configuration and source notebook into `folder`; return both paths.

    force: also where a file exists that holds something else; else that raises CourseError.
    """
    assignment = re.sub(r"[^\w-]", "-", course.folder.resolve().name).strip("-") or "assignment"
    folder, name = Path(folder), f"{course.chapter.notebook}.ipynb"
    config = f"c = get_config()  # noqa: F821\n\nc.CourseDirectory.course_id = {assignment!r}\n"
    notebook = nbformat.writes(source_notebook(course)) + "\n"
    texts = {
        folder / "nbgrader_config.py": config,
        folder / "source" / assignment / name: notebook,
    }
    return write_all(texts, force)


# The source notebook


def source_notebook(course: Course) -> NotebookNode:
    """Return the notebook with solutions and hidden tests, with nbgrader's metadata."""
    cells = [title_cell(course, _RULES), new_code_cell(SETUP, id="setup")]
    for task in tasks(course):
        cells += _cells(course, task)
    return new_notebook(cells=cells, metadata={"kernelspec": KERNEL})


def solution_of(course: Course, exercise: Exercise) -> str:
    """Return the book's answer with the imports and definitions that it needs."""
    cells = book_notebook(course, "solutions").cells
    tag = ANSWER + exercise.name
    last = next(i for i, cell in enumerate(cells) if tag in cell.metadata.get("tags", []))
    until_there = nbformat.writes(new_notebook(cells=cells[: last + 1]))
    return answer(until_there.encode(), False, exercise.function).source


def _cells(course: Course, task: AssignmentTask) -> Iterator[NotebookNode]:
    own = task.exercise.name.partition(".")[2]
    yield new_markdown_cell(task.text, id=f"task-{own}")
    solution = solution_of(course, task.exercise)
    yield _cell(_with_marks(solution, task.exercise.function), own, solution=True)
    yield new_code_cell(task.check, id=f"check-{own}")
    points = course.points[task.exercise.name]
    yield _cell(_hidden_test(course, task.exercise), f"test-{own}", locked=True, points=points)


def _cell(
    source: str,
    grade_id: str,
    *,
    solution: bool = False,
    locked: bool = False,
    points: float | None = None,
) -> NotebookNode:
    about = {
        "grade": points is not None,
        "grade_id": grade_id,
        "locked": locked,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    if points is not None:
        about["points"] = points
    return new_code_cell(source, id=grade_id, metadata={"nbgrader": about})


def _with_marks(source: str, function: str) -> str:
    """Put what students do not get between marks: the function's body, and what it needs."""
    tree, lines = ast.parse(source), source.splitlines()
    (definition,) = (n for n in tree.body if getattr(n, "name", "") == function)
    first, last = definition.body[0].lineno - 1, definition.end_lineno
    needed = [
        ast.unparse(node)
        for node in tree.body
        if node is not definition and ast.unparse(node) != "import numpy as np"
    ]
    head = lines[definition.lineno - 1 : first]
    body = [textwrap.indent(text, "    ") for text in needed] + lines[first:last]
    return "\n".join([*head, "    ### BEGIN SOLUTION", *body, "    ### END SOLUTION"])


def _hidden_test(course: Course, exercise: Exercise) -> str:
    seed = seed_of(course.secret, exercise.name, "nbgrader")
    of = course.points[exercise.name]
    return f"""\
# When this is graded, your function is called on other numbers here.
### BEGIN HIDDEN TESTS
from bigmodel_edu.course.points import points_earned

points_earned("{exercise.name}", {exercise.function}, of={of}, seed={seed})
### END HIDDEN TESTS"""
