"""A whole assignment of chapter 1, from `bigmodel course new` to the page about the class."""

import csv
import json
import zipfile
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from bigmodel_edu import catalogue
from bigmodel_edu.cli import app
from bigmodel_edu.course import grades as statuses
from bigmodel_edu.course.settings import FILE

HERE = Path(__file__).parent
NAMES = ("neuron", "softmax", "relu_backward", "linear_backward", "dropout")
RIGHT = {
    "neuron": "def neuron(a, w, b):\n    return 1 / (1 + np.exp(-(w @ a + b)))",
    "softmax": (
        "def softmax(z):\n"
        "    e = np.exp(z - z.max(axis=-1, keepdims=True))\n"
        "    return e / e.sum(axis=-1, keepdims=True)"
    ),
    "relu_backward": "def relu_backward(x, dy):\n    return dy * (x > 0)",
    "linear_backward": (
        "def linear_backward(x, weight, dy):\n    return dy @ weight, dy.T @ x, dy.sum(axis=0)"
    ),
    "dropout": "def dropout(x, mask, p):\n    return x * mask / (1 - p)",
}
SIGNATURES = {
    "neuron": "a, w, b",
    "softmax": "z",
    "relu_backward": "x, dy",
    "linear_backward": "x, weight, dy",
    "dropout": "x, mask, p",
}
# The known mistakes of these exercises, in their order, as a student would write them
MISTAKES = {
    "neuron": (
        "w @ a + b",
        "1 / (1 + np.exp(-(w @ a)))",
        "1 / (1 + np.exp(w @ a + b))",
        "1 / (1 + np.exp(-(w * a + b)))",
        "1 / (1 + np.exp(-((w * a).mean() + b)))",
        "1 / (1 + np.exp(-(w @ a - b)))",
    ),
    "softmax": (
        "np.exp(z) / np.exp(z).sum()",
        "np.exp(z - z.max()) / np.exp(z - z.max()).sum()",
        "(e := np.exp(z - z.max(axis=-1, keepdims=True))) / e.sum()",
        "(e := np.exp(z - z.max(axis=-1, keepdims=True))) / e.mean(axis=-1, keepdims=True)",
        "np.exp(z) / np.exp(z).sum(axis=0, keepdims=True)",
        "np.exp(z - z.max(axis=-1)) / np.exp(z - z.max(axis=-1)).sum(axis=-1)",
        "np.exp(z - z.max(axis=0)) / np.exp(z - z.max(axis=0)).sum(axis=0)",
        "np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)",
        "np.exp(z - z.max()) / np.exp(z - z.max()).sum(axis=-1, keepdims=True)",
        "(e := np.exp(z - z.max(axis=0))) / e.sum(axis=-1, keepdims=True)",
    ),
    "relu_backward": (
        "dy * (x >= 0)",
        "np.maximum(dy, 0)",
        "(x > 0).astype(x.dtype)",
        "dy * np.maximum(x, 0)",
        "dy * np.sign(x)",
    ),
    "linear_backward": (
        "dy @ weight, dy.T @ x, dy",
        "dy @ weight, dy.T @ x / len(x), dy.mean(axis=0)",
        "dy @ weight, dy.T @ x, dy.mean(axis=0)",
        "dy @ weight, dy.T @ x / len(x), dy.sum(axis=0)",
        "dy @ weight, x.T @ dy, dy.sum(axis=0)",
        "dy @ weight.T, dy.T @ x, dy.sum(axis=0)",
        "dy @ weight, dy.T @ x, dy.sum()",
        "dy @ weight, dy.T @ x, dy.sum(axis=1)",
    ),
    "dropout": (
        "x * mask",
        "x * mask / p if p else x * mask",
        "x * mask / np.maximum(mask.mean(), 1e-300)",
        "x * mask * p",
        "x * mask * (1 - p)",
        "x * (1 - mask) / (1 - p)",
    ),
}
# Right for some cases only: small logits, positive numbers, a mask that keeps everything
PARTLY = {
    "softmax": "np.exp(z - z.mean()) / np.exp(z - z.mean()).sum(axis=-1, keepdims=True)",
    "dropout": "x * mask / (1 - p) if len(x) > 1 else x",
    "relu_backward": "dy * (x >= 0)",
}
HONEST = ("float32", "lists", "generator", "strided", "prints_30_megabytes", "threads", "partial")
HOSTILE = ("endless_loop", "exit_in_function", "fork_bomb", "lying_eq", "hunts_with_gc")
HOSTILE += ("patches_the_comparison", "raises_markup")


def function(name: str, expression: str) -> str:
    return f"def {name}({SIGNATURES[name]}):\n    return {expression}"


def students() -> dict[str, dict[str, str]]:
    """Thirty students: what each wrote, by exercise; what is left out stays a stub."""
    found = {"nobody wrote": {}, "one exercise": {"neuron": RIGHT["neuron"]}, "all right": RIGHT}
    for number in range(max(map(len, MISTAKES.values()))):
        found[f"mistakes {number + 1}"] = {
            name: function(name, mistakes[number])
            for name, mistakes in MISTAKES.items()
            if number < len(mistakes)
        }
    for name, expression in PARTLY.items():
        found[f"partly {name}"] = RIGHT | {name: function(name, expression)}
    for kind, names in (("honest", HONEST), ("hostile", HOSTILE)):
        for name in names:
            found[f"{kind} {name}"] = RIGHT | {"softmax": (HERE / kind / f"{name}.py").read_text()}
    found["late all right"] = {n: f"{code}  # on my own" for n, code in RIGHT.items()}
    found["<b>Bobby =1+1"] = RIGHT | {"neuron": f"# Bobby's\n{RIGHT['neuron']}"}
    return found


def run(*words) -> str:
    result = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def filled_in(released: Path, answers: dict[str, str]) -> str:
    """The released notebook with the answers in the place of the stubs."""
    notebook = nbformat.read(released, as_version=4)
    for cell in notebook.cells:
        for tag in cell.metadata.get("tags", []):
            name = tag.partition("stub:neural_nets.")[2]
            if name in answers:
                cell.source = answers[name]
    return nbformat.writes(notebook)


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Everything that a lecturer does; returns the folder of the results."""
    folder = tmp_path_factory.mktemp("course")
    course, handed_in = folder / "lab1", folder / "submissions.zip"
    run("course", "new", course, "--chapter", 1, "--exercises", ",".join(NAMES))
    settings = (course / FILE).read_text()
    settings = settings.replace("seconds = 10 ", "seconds = 3 ")
    (course / FILE).write_text(settings.replace("# deadline", "deadline").replace("2027", "2026"))
    run("course", "release", course)
    (released,) = (course / "release").glob("*.ipynb")
    with zipfile.ZipFile(handed_in, "w") as archive:
        for student, answers in students().items():
            day = 28 if student.startswith("late") else 1
            month = 2 if student.startswith("late") else 1
            name = f"{student}/{released.name}"
            entry = zipfile.ZipInfo(name, date_time=(2026, month, day, 12, 0, 0))
            archive.writestr(entry, filled_in(released, answers))
    words = run("course", "grade", handed_in, "-o", folder / "results", "--course", course)
    return {"out": folder / "results", "words": words}


@pytest.fixture(scope="module")
def rows(graded):
    """What exercises.csv says, by student and exercise."""
    with (graded["out"] / "exercises.csv").open(encoding="utf-8-sig", newline="") as file:
        return {(row["student"], row["exercise"]): row for row in csv.DictReader(file)}


def test_the_class_is_there(graded, rows):
    assert len(students()) == 32
    assert len(rows) == 32 * len(NAMES)
    assert "32 students" in graded["words"]


def test_who_is_right_earns_everything(rows):
    for student, answers in students().items():
        for name in NAMES:
            is_right = answers.get(name) == RIGHT[name] or student.startswith(("honest", "late"))
            if is_right or student.startswith("<b>"):
                row = rows[student, f"neural_nets.{name}"]
                assert row["status"] == statuses.PASSED, row


def test_every_known_mistake_is_named(rows):
    for name, expressions in MISTAKES.items():
        mistakes = catalogue.exercise(f"neural_nets.{name}").mistakes
        assert len(expressions) == len(mistakes)
        for number, mistake in enumerate(mistakes, start=1):
            row = rows[f"mistakes {number}", f"neural_nets.{name}"]
            assert row["mistake"] == mistake.message, row
            assert float(row["points"]) < float(row["out_of"])


def test_what_is_right_in_part_earns_a_part(rows):
    for name in PARTLY:
        row = rows[f"partly {name}", f"neural_nets.{name}"]
        assert row["status"] == statuses.PARTLY, row
        assert 0 < float(row["points"]) < float(row["out_of"])


def test_hostile_code_earns_nothing(rows):
    for name in HOSTILE:
        row = rows[f"hostile {name}", "neural_nets.softmax"]
        assert float(row["points"]) == 0, row


def test_stubs_are_not_attempted(rows):
    found = Counter(
        row["status"] for (student, _), row in rows.items() if student == "nobody wrote"
    )
    assert found == {statuses.NOT_ATTEMPTED: len(NAMES)}
    assert rows["one exercise", "neural_nets.neuron"]["status"] == statuses.PASSED


def test_late_is_a_flag(rows):
    late = {student for (student, _), row in rows.items() if statuses.LATE in row["flags"]}
    assert late == {"late all right"}


def test_the_pages_are_there(graded):
    pages = list((graded["out"] / "students").glob("*.html"))
    assert len(pages) == 32
    text = (graded["out"] / "index.html").read_text()
    assert all(f'href="students/{page.name}"' in text for page in pages)
    assert "<b>Bobby" not in text
    assert "You normalised over the whole array" in text
    everything = json.loads((graded["out"] / "grades.json").read_text())
    assert len(everything["students"]) == 32
