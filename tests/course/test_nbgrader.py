"""nbgrader's own commands, run on our release, from the assignment to the exported points."""

import ast
import contextlib
import csv
import io
import os
import sys
import warnings
from pathlib import Path

import nbformat
import numpy as np
import pytest
from traitlets.config import Application

from bigmodel_edu import catalogue
from bigmodel_edu.course.feedback import judge_messages
from bigmodel_edu.course.nbgrader import (
    release_for_nbgrader,
    source_notebook,
)
from bigmodel_edu.course.points import points_earned
from bigmodel_edu.course.release import assignment_notebook
from bigmodel_edu.course.settings import Limits, new_course
from bigmodel_edu.course.task import Task
from bigmodel_edu.labs.attempts import run

preprocessors = pytest.importorskip("nbgrader.preprocessors")
apps = pytest.importorskip("nbgrader.apps")

RIGHT = {
    "neuron": "def neuron(x, w, b):\n    return 1 / (1 + np.exp(-(w @ x + b)))",
    "softmax": (
        "def softmax(z):\n"
        "    e = np.exp(z - z.max(axis=-1, keepdims=True))\n"
        "    return e / e.sum(axis=-1, keepdims=True)"
    ),
}
STUDENTS = {
    "right": RIGHT,
    "partly": RIGHT
    | {"softmax": "def softmax(z):\n    return np.exp(z) / np.exp(z).sum(-1, keepdims=True)"},
    "wrong": {"neuron": "def neuron(x, w, b):\n    return 0.0"},
    "untouched": {},
}
EARNED = {"right": 3, "partly": 1 + 2 * 5 / 7, "wrong": 0, "untouched": 0}


def nbgrader(*words: str) -> None:
    """Run a command of nbgrader in this process; the current folder is the one of its course."""
    try:
        apps.NbGraderApp.launch_instance(list(words))
    finally:
        Application.instance().clear_instance()  # there is one at a time


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own
def test_from_the_assignment_to_the_exported_points(tmp_path, monkeypatch):
    course = new_course(tmp_path / "lab1", 1, ["neuron", "softmax"])
    folder = tmp_path / "nbgrader"
    _, source = release_for_nbgrader(course, folder)
    assert source.relative_to(folder) == Path("source/lab1/01_neural_nets.ipynb")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path))  # where Jupyter would look for settings
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)  # alembic
    nbgrader("generate_assignment", "lab1")
    released = folder / "release" / "lab1" / source.name
    text = released.read_text()
    assert "np.exp" not in text
    assert "seed" not in text
    for student, answers in STUDENTS.items():
        notebook = nbformat.read(released, as_version=4)
        for cell in notebook.cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id")
            if name in answers:
                cell.source = answers[name]
        path = folder / "submitted" / student / "lab1" / source.name
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    nbgrader("autograde", "lab1", "--create")
    nbgrader("export", "--to", "grades.csv")
    with (folder / "grades.csv").open() as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert {s: float(row["score"]) for s, row in rows.items()} == pytest.approx(EARNED)
    assert {float(row["max_score"]) for row in rows.values()} == {3.0}


@pytest.mark.parametrize("number", [chapter.number for chapter in catalogue.written_chapters()])
def test_what_nbgrader_leaves_to_students_is_the_stub_of_the_chapter(number, tmp_path, monkeypatch):
    monkeypatch.setenv("BIGMODEL_STATE_DIR", str(tmp_path / "state"))
    course = new_course(tmp_path / "lab1", number)
    notebook = source_notebook(course)
    for step in (preprocessors.ClearSolutions(), preprocessors.ClearHiddenTests()):
        notebook, _ = step.preprocess(notebook, {})
    written = [cell for cell in notebook.cells if cell.get("metadata", {}).get("nbgrader")]
    stubs = [cell for cell in assignment_notebook(course).cells if cell.metadata.get("tags")]
    for cell, stub in zip(written[::2], stubs, strict=True):
        assert cell.source.splitlines()[1:] == [
            "    # YOUR CODE HERE",
            "    raise NotImplementedError()",
        ]
        (theirs,), (ours,) = (ast.parse(c.source).body for c in (cell, stub))
        assert ast.unparse(theirs.args) == ast.unparse(ours.args)
    for test in written[1::2]:
        assert all(line.startswith("#") for line in test.source.splitlines() if line)
    namespace, printed = {}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        for cell in notebook.cells:
            if cell.cell_type == "code":
                exec(cell.source, namespace)
    assert printed.getvalue().count("Not attempted yet") == len(course.points)


@pytest.mark.parametrize(
    ("folder", "assignment"),
    [("lab 1+", "lab-1"), ("-x", "x"), ("+", "assignment"), ("läb", "läb")],
)
def test_an_assignment_has_a_name_that_nbgrader_takes(folder, assignment, tmp_path):
    course = new_course(tmp_path / folder, 1, ["neuron"])
    config, source = release_for_nbgrader(course, tmp_path / "nbgrader")
    assert source.parent.name == assignment
    assert repr(assignment) in config.read_text(encoding="utf-8")


def in_other_form(function, convert):
    """`function` with each array of its answer as `convert(array)`."""

    def converted(answer):
        if isinstance(answer, tuple):
            return tuple(map(converted, answer))
        return convert(answer) if isinstance(answer, np.ndarray) else answer

    return lambda *args, **kwargs: converted(function(*args, **kwargs))


def as_single(array):
    return array.astype(np.float32) if array.dtype == float else array


def points_of_our_grader(exercise, function, of: float, seed: int) -> float:
    """What `course grade` would give, without its process."""
    cases = list(exercise.cases(np.random.default_rng(seed)))
    messages = [{"ready": True}]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for attempt in (run(function, case) for case in cases):
            if attempt.error is None:
                messages.append({"answer": attempt.answer, "changed": list(attempt.changed)})
            else:
                messages.append({"error": {"type": type(attempt.error).__name__}})
        task = Task(exercise, of, secret="", imports=("numpy",), limits=Limits())
        return judge_messages(task, cases, messages, "exited").points


# No point is lost to the form of an answer, and none earned by cases that are always the same.
@pytest.mark.parametrize("name", [e.name for e in catalogue.exercises().values() if e.gradable])
def test_points_are_those_of_our_own_grader(name):
    exercise = catalogue.exercise(name)
    as_lists = in_other_form(exercise.reference, np.ndarray.tolist)
    in_float32 = in_other_form(exercise.reference, as_single)
    assert points_earned(name, as_lists, of=3, seed=7) == 3
    assert points_earned(name, in_float32, of=3, seed=7) == 3
    for function in (mistake.function for mistake in exercise.mistakes):
        ours = points_of_our_grader(exercise, function, of=3, seed=7)
        assert points_earned(name, function, of=3, seed=7) == pytest.approx(ours)
