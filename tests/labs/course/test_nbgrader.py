"""nbgrader's own commands, run on our release, from the assignment to the exported points."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from bigmodel_edu.labs.course.nbgrader import release_for_nbgrader
from bigmodel_edu.labs.course.settings import new_course

pytest.importorskip("nbgrader")

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
EARNED = {"right": 3, "partly": 1 + 2 * 3 / 5, "wrong": 0, "untouched": 0}


def nbgrader(folder: Path, *words: str) -> None:
    """Run a command of nbgrader in its course folder."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": programs, "HOME": str(folder.parent)}
    command = [sys.executable, "-m", "nbgrader", *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_from_the_assignment_to_the_exported_points(tmp_path):
    course = new_course(tmp_path / "lab1", 1, ["neuron", "softmax"])
    folder = tmp_path / "nbgrader"
    _, source = release_for_nbgrader(course, folder)
    assert source.relative_to(folder) == Path("source/lab1/01_neural_nets.ipynb")
    nbgrader(folder, "generate_assignment", "lab1")
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
    nbgrader(folder, "autograde", "lab1", "--create")
    nbgrader(folder, "export", "--to", "grades.csv")
    with (folder / "grades.csv").open() as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert {s: float(row["score"]) for s, row in rows.items()} == pytest.approx(EARNED)
    assert {float(row["max_score"]) for row in rows.values()} == {3.0}
