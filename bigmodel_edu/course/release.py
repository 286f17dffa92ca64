"""An assignment's notebook: the tasks, each with an empty function and a check, and no answers."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from bigmodel_edu.course.output import OutputError, number, write
from bigmodel_edu.course.settings import Course, CourseError, public_entries
from bigmodel_edu.course.workshop import expect_installed
from bigmodel_edu.exercise import Exercise, counted
from bigmodel_edu.jupyter import find_book
from bigmodel_edu.labs.notebooks import STUB, read_notebook

SETUP = "import numpy as np\n\nfrom bigmodel_edu.labs import check, hint"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
METADATA = "bigmodel"
"""Where a released notebook says what course it is of."""
_TASK = re.compile(r":::\{exercise-start\}.*?\n:::\n(.*)", re.DOTALL)
_EQUATION = re.compile(r"\$\$\n(?P<formula>(?:(?!\$\$).)+?)\n\$\$ \((?P<label>[\w-]+)\)", re.DOTALL)
_REFERENCE = re.compile(r"\{eq\}`([\w-]+)`")
_BOOK_ONLY = re.compile(r"\s*\(In this chapter [^()]*\)")


def release(course: Course, folder: Path | str, force: bool = False) -> list[Path]:
    """Write the notebook into `folder`, as .ipynb and as MyST Markdown; return both paths.

    force: also where a file exists that holds something else; else that raises CourseError.
    """
    notebook, folder, name = assignment_notebook(course), Path(folder), course.chapter.notebook
    if folder.resolve() == course.folder.resolve():
        raise CourseError(f"{folder} holds the course's secret: name another folder to hand out.")
    texts = {
        folder / f"{name}.ipynb": nbformat.writes(notebook) + "\n",
        folder / f"{name}.md": jupytext.writes(notebook, fmt="md:myst"),
    }
    return write_all(texts, force)


def write_all(texts: dict[Path, str], force: bool) -> list[Path]:
    """Write files; where one of them holds something else, none, and raise CourseError."""
    for path, text in texts.items():
        if os.path.lexists(path) and not force and not _holds(path, text):
            raise CourseError(
                f"{path} exists and holds something else: keep it under another name, or write "
                "over it with --force."
            )
    try:
        return [write(path, text) for path, text in texts.items()]
    except OutputError as error:
        raise CourseError(str(error)) from error


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):  # a folder, a file that may not be read, or no text
        return False


# The notebook


def assignment_notebook(course: Course) -> NotebookNode:
    """Return the notebook that students get; the same course gives the same notebook."""
    expect_installed(course.imports)
    cells = [title_cell(course), new_code_cell(SETUP, id="setup")]
    for task in tasks(course):
        own = task.exercise.name.partition(".")[2]
        cells += [
            new_markdown_cell(task.text, id=f"task-{own}"),
            new_code_cell(
                task.stub, id=f"stub-{own}", metadata={"tags": [STUB + task.exercise.name]}
            ),
            new_code_cell(task.check, id=f"check-{own}"),
        ]
    metadata = {
        "kernelspec": KERNEL,
        METADATA: public_entries(course),  # `bigmodel course try` reads it
        "jupytext": {"notebook_metadata_filter": METADATA},  # and Jupytext keeps it in Markdown
    }
    return new_notebook(cells=cells, metadata=metadata)


def title_cell(course: Course, rules: str = "") -> NotebookNode:
    """Return the cell that says what the assignment is, what it is worth and what counts.

    rules: what counts, in words; by default that of `bigmodel course grade`.
    """
    chapter = course.chapter
    rows = [f"| {e.title} | {course.points[e.name]:g} |" for e in course.exercises]
    text = f"""\
# {course.title}

Exercises from chapter {chapter.number}, *{chapter.title}*, of *Big Models from Scratch*. Read the
chapter first; its exercises come back here.{_deadline(course)}

| exercise | points |
|---|---|
{chr(10).join(rows)}
| **together** | **{course.total:g}** |

**How to work.** Write each function in its cell and run the cell below it, which checks it on fresh
random numbers and says what is wrong. `hint("{course.exercises[0].name}")` gives a hint.

{rules or _rules(course)}"""
    return new_markdown_cell(text, id="title")


def _rules(course: Course) -> str:
    others = [f"`{name}`" for name in course.imports if name != "numpy"]
    packages, limits = ", ".join(["NumPy", *others]), course.limits
    return f"""\
**What counts.** From this notebook your functions are taken, and with each of them the imports,
functions, classes and assignments that it needs. Nothing else runs when it is graded: no loops,
no plots, no magics. You may import {packages} and Python's own library, but not `bigmodel_edu`,
where the answers are. Each function may take {limits.seconds:g} seconds and
{limits.memory_mb:g} MB. Every case that is right earns its share of the points.

**Before you hand it in**, run `bigmodel course try {course.chapter.notebook}.ipynb` in a terminal:
it grades your notebook in the same way, on other numbers."""


def _deadline(course: Course) -> str:
    if course.deadline is None:
        return ""
    return f"\n\nHand it in by **{course.deadline:%d %B %Y, %H:%M} ({course.deadline:%Z})**."


# The tasks, from the chapter


@dataclass(frozen=True)
class AssignmentTask:
    """One exercise of an assignment: its text as plain Markdown, its stub, and its check."""

    exercise: Exercise
    text: str
    stub: str

    @property
    def check(self) -> str:
        """The line that checks the reader's function."""
        return f'check("{self.exercise.name}", {self.exercise.function})'


def tasks(course: Course) -> Iterator[AssignmentTask]:
    """Yield the tasks in the order of the course, with the chapter's texts.

    An equation that a task refers to is put below it, numbered anew. What a chapter says in
    parentheses that begin "(In this chapter" is left out.
    """
    chapter = book_notebook(course)
    equations = dict(_equations(chapter))
    numbers: dict[str, int] = {}
    for position, exercise in enumerate(course.exercises, start=1):
        text, stub = _text_and_stub(chapter, exercise)
        text, formulas = _with_own_numbers(_BOOK_ONLY.sub("", text), equations, numbers)
        worth = counted(number(course.points[exercise.name]), "point")
        title = f"## {position} · {exercise.title} {'★' * exercise.stars} ({worth})"
        yield AssignmentTask(exercise, "\n\n".join([title, text, *formulas]), stub)


def book_notebook(course: Course, folder: str = "chapters") -> NotebookNode:
    """Return the chapter's notebook, or its solutions: one for all who ask, not to be changed."""
    path = chapter_path(course, folder)
    return _read_once(path, path.stat().st_mtime if path.exists() else 0)


@cache
def _read_once(path: Path, changed: float) -> NotebookNode:
    return read_notebook(path)


def chapter_path(course: Course, folder: str = "chapters") -> Path:
    """Return where the chapter's notebook lies, or its solutions."""
    here = Path.cwd()
    book = find_book([here, *here.parents, Path(__file__).parents[2]])
    return book / folder / f"{course.chapter.notebook}.md"


def _text_and_stub(chapter: NotebookNode, exercise: Exercise) -> tuple[str, str]:
    """Find an exercise's text, which stands in the cell before its stub, and the stub."""
    for before, cell in zip(chapter.cells, chapter.cells[1:], strict=False):
        if STUB + exercise.name in cell.metadata.get("tags", []):
            return _TASK.search(before.source)[1].strip(), cell.source
    raise CourseError(f"The chapter has no stub for {exercise.name}: is the book complete?")


def _equations(chapter: NotebookNode) -> Iterator[tuple[str, str]]:
    for cell in chapter.cells:
        if cell.cell_type == "markdown":
            for match in _EQUATION.finditer(cell.source):
                yield match["label"], match["formula"]


def _with_own_numbers(
    text: str, equations: dict[str, str], numbers: dict[str, int]
) -> tuple[str, list[str]]:
    """Number the equations that a text refers to, and return those that are new, with numbers."""
    new = []
    for label in _REFERENCE.findall(text):
        if label not in numbers:
            numbers[label] = len(numbers) + 1
            new.append(f"Equation ({numbers[label]}):\n\n$$\n{equations[label]}\n$$")
    return _REFERENCE.sub(lambda match: f"({numbers[match[1]]})", text), new
