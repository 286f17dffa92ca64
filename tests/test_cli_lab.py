"""`bigmodel lab`: JupyterLab as before, and the commands of a course."""

import json
import os
import shlex
import signal
import sys
import types
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bigmodel_edu.cli import app
from bigmodel_edu.labs.course import submissions
from bigmodel_edu.labs.course.grades import Grade
from bigmodel_edu.labs.course.settings import CourseError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a course is graded on Linux or macOS")

GRADE = Grade("a", "e", "t", "n", "d", 1, 1, "passed", confinement="c")
SOFTMAX = (
    "def softmax(z):\n"
    "    e = np.exp(z - z.max(axis=-1, keepdims=True))\n"
    "    return e / e.sum(axis=-1, keepdims=True)"
)


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv("BIGMODEL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "120")


def bigmodel(*words):
    return CliRunner().invoke(app, list(map(str, words)))


def printed(*words) -> str:
    result = bigmodel(*words)
    assert result.exit_code == 0, result.output
    return result.stdout


def sentence(*words) -> str:
    """The one sentence of an expected error, on stderr."""
    result = bigmodel(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


@pytest.fixture
def lab(tmp_path) -> Path:
    printed("lab", "new", tmp_path / "lab1", "--chapter", 1, "--exercises", "softmax, neuron")
    return tmp_path / "lab1"


def handed_in(lab: Path, **answers: str) -> Path:
    """The released notebook, with answers in the place of its stubs."""
    (released,) = (Path(p) for p in printed("lab", "release", lab).split() if p.endswith("ipynb"))
    notebook = json.loads(released.read_text())
    for cell in notebook["cells"]:
        for name, answer in answers.items():
            if f"stub:neural_nets.{name}" in cell["metadata"].get("tags", []):
                cell["source"] = answer
    path = lab.parent / "submissions" / "Ada" / released.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook))
    return path


# JupyterLab


@pytest.mark.parametrize(
    "words",
    [[], ["--no-browser"], ["--port", "8890", "--ServerApp.token=x"], ["."], ["open", "-y"]],
)
def test_anything_but_a_command_opens_jupyterlab(monkeypatch, words):
    seen = []
    jupyterlab = types.SimpleNamespace(main=lambda arguments: seen.append(arguments) or 3)
    monkeypatch.setitem(sys.modules, "bigmodel_edu.lab", jupyterlab)
    assert bigmodel("lab", *words).exit_code == 3
    assert seen == [[word for word in words if word != "open"]]


def test_a_command_with_a_slip_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "bigmodel_edu.lab", None)
    result = bigmodel("lab", "realease")
    assert result.exit_code == 2
    assert "No such command and no such file: 'realease'. Did you mean 'release'?" in result.stderr
    assert bigmodel("lab", "x" * 300).exit_code == 2


@pytest.mark.parametrize("command", ["open", "new", "release", "grade", "try"])
def test_every_command_has_an_example(command):
    assert f"Example:  bigmodel lab {command}" in printed("lab", command, "--help")
    assert command in printed("lab", "--help")


# A course


def test_new_says_what_comes_next(tmp_path):
    text = printed("lab", "new", tmp_path / "x", "--chapter", 2, "--title", "Week 3")
    assert text.startswith(f"{tmp_path / 'x' / 'course.toml'}: 11 exercises, 20 points.")
    assert text.endswith(f"then: bigmodel lab release {tmp_path / 'x'}\n")
    assert 'title = "Week 3"' in (tmp_path / "x" / "course.toml").read_text()


def test_new_names_the_next_command_as_a_shell_reads_it(tmp_path):
    folder = tmp_path / "lab 1; $HOME"
    text = printed("lab", "new", folder, "--chapter", 1, "--exercises", "softmax")
    assert ": 1 exercise, 2 points." in text
    assert shlex.split(text)[-4:] == ["bigmodel", "lab", "release", str(folder)]


def test_release_prints_what_it_wrote(lab, tmp_path):
    paths = printed("lab", "release", lab).split()
    assert paths == [str(lab / "release" / f"01_neural_nets.{kind}") for kind in ("ipynb", "md")]
    paths = printed("lab", "release", lab, "-o", tmp_path / "else").split()
    assert all(Path(path).parent == tmp_path / "else" for path in paths)
    paths = printed("lab", "release", lab, "--format", "nbgrader").split()
    assert paths[1] == str(lab / "nbgrader" / "source" / "lab1" / "01_neural_nets.ipynb")
    Path(paths[0]).write_text("changed")
    assert "--force" in sentence("lab", "release", lab, "--format", "nbgrader")
    printed("lab", "release", lab, "--format", "nbgrader", "--force")


def test_grade_says_what_came_of_it(lab, tmp_path):
    handed_in(lab, softmax=SOFTMAX)
    out = tmp_path / "results"
    text = printed("lab", "grade", tmp_path / "submissions", "-o", out, "--course", lab)
    first, second, third = text.splitlines()
    assert first == (
        "1 student, 2 of 3 points on average; 0 exercises stopped, 0 students flagged."
    )
    assert second.startswith("Held by: ")
    assert third == f"The class page: {out / 'index.html'}"


def grading(monkeypatch, run) -> None:
    """Let `run(arguments)` stand for the grader."""
    fake = types.SimpleNamespace(grade_course=lambda *args, **more: run(args, more))
    monkeypatch.setitem(sys.modules, "bigmodel_edu.labs.course.grader", fake)


def test_grade_hands_its_options_on(lab, tmp_path, monkeypatch):
    def run(args, more):
        course, places, out = args
        assert course.folder == lab
        assert places == [Path("a"), Path("b.zip")]
        assert out == tmp_path
        assert more.pop("progress")(1, 2) is None
        assert more == {"workers": 3, "allow_unconfined": True}
        raise KeyboardInterrupt

    grading(monkeypatch, run)
    words = ["a", "b.zip", "-o", tmp_path, "--course", lab, "--workers", 3, "--allow-unconfined"]
    assert bigmodel("lab", "grade", *words).exit_code == 130


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_stopped_says_that_it_goes_on(lab, monkeypatch, usual_signals, end):
    before = signal.getsignal(end)
    grading(monkeypatch, lambda *_: os.kill(os.getpid(), end))
    result = bigmodel("lab", "grade", "x", "-o", "y", "--course", lab)
    assert result.exit_code == 130
    assert result.stdout == ""
    assert result.stderr == "Stopped. The same command goes on from here.\n"
    assert signal.getsignal(end) == before


def test_nohup_is_respected(lab, monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def run(*_):
        os.kill(os.getpid(), signal.SIGHUP)
        raise CourseError("It went on.")

    grading(monkeypatch, run)
    try:
        assert sentence("lab", "grade", "x", "-o", "y", "--course", lab) == "It went on."
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("workers", [0, -1, "many"])
def test_there_is_at_least_one_worker(lab, monkeypatch, workers):
    grading(monkeypatch, lambda *_: pytest.fail("it ran"))
    result = bigmodel("lab", "grade", "x", "-o", "y", "--course", lab, "--workers", workers)
    assert result.exit_code == 2
    assert "Invalid value for '--workers'" in result.stderr


def test_grade_says_where_the_results_go(lab):
    result = bigmodel("lab", "grade", "x", "--course", lab)
    assert result.exit_code == 2
    assert "Missing option" in result.stderr
    assert "--out" in result.stderr


def test_try_says_what_a_course_would_say(lab):
    path = handed_in(lab, softmax=SOFTMAX, neuron="def neuron(x, w, b): return w @ x + b")
    result = bigmodel("lab", "try", path)
    assert result.exit_code == 1
    assert "✓ neural_nets.softmax  passed" in result.stdout
    assert "You returned z, the weighted sum; the neuron's output is σ(z)." in result.stdout
    assert "2 of 3 points; held by: " in result.stdout
    entries = json.loads(bigmodel("lab", "try", path, "--json").stdout)
    assert [entry["points"] for entry in entries] == [2, 0]
    handed_in(
        lab, softmax=SOFTMAX, neuron="def neuron(x, w, b): return 1 / (1 + np.exp(-(w @ x) - b))"
    )
    assert bigmodel("lab", "try", path).exit_code == 0


def test_try_hands_the_imports_on(monkeypatch):
    seen = []
    fake = types.SimpleNamespace(try_notebook=lambda *args: seen.append(args) or [GRADE])
    monkeypatch.setitem(sys.modules, "bigmodel_edu.labs.course.trying", fake)
    assert bigmodel("lab", "try", "x.ipynb", "--imports", "numpy, scipy,").exit_code == 0
    assert seen == [(Path("x.ipynb"), ["numpy", "scipy"])]


def test_a_notebook_that_is_too_large_is_one_sentence(lab, monkeypatch):
    path = handed_in(lab, softmax=SOFTMAX)
    monkeypatch.setattr(submissions, "MAX_NOTEBOOK", 100)
    assert "is larger than 0 MB" in sentence("lab", "try", path)


@pytest.mark.parametrize("kind", ["ipynb", "md"])
def test_try_knows_the_course_that_handed_the_notebook_out(lab, kind):
    """Its points, its limits, its packages, and the exercises that were deleted."""
    settings = lab / "course.toml"
    text = settings.read_text().replace("softmax = 2", "softmax = 7")
    settings.write_text(text.replace('["numpy"]', '["numpy", "scipy"]').replace("= 1000", "= 2000"))
    path = next(Path(p) for p in printed("lab", "release", lab).split() if p.endswith(kind))
    assert "secret" not in path.read_text()
    end = "\\n" if kind == "ipynb" else "\n"
    answer = f"from scipy.special import softmax as s{end}def softmax(z): return s(z, axis=-1)"
    text = path.read_text().replace("def softmax(z): ...", answer)
    path.write_text(text.replace("def neuron(x, w, b): ...", "pass"))
    entries = json.loads(bigmodel("lab", "try", path, "--json").stdout)
    assert [(e["points"], e["of"], e["status"]) for e in entries] == [
        (7, 7, "passed"),
        (0, 1, "missing"),
    ]


@pytest.mark.parametrize("entries", ["x", [], {"points": 5}, {"points": [["softmax", "many"]]}])
def test_a_notebook_with_other_metadata_is_tried_or_refused_in_words(lab, entries):
    path = handed_in(lab, softmax=SOFTMAX)
    notebook = json.loads(path.read_text())
    notebook["metadata"]["bigmodel"] = entries
    path.write_text(json.dumps(notebook))
    result = bigmodel("lab", "try", path)
    assert result.exit_code == (2 if isinstance(entries, dict) else 1)
    assert not result.exception or isinstance(result.exception, SystemExit)


def test_try_prints_nothing_that_a_terminal_obeys(monkeypatch, tmp_path):
    evil = replace(GRADE, status="failed", points=0, message="\x1b[2J[red]x\x07")
    fake = types.SimpleNamespace(try_notebook=lambda *args: [evil])
    monkeypatch.setitem(sys.modules, "bigmodel_edu.labs.course.trying", fake)
    text = bigmodel("lab", "try", tmp_path / "x.ipynb").stdout
    assert "\x1b" not in text
    assert "\x07" not in text
    assert r"\x1b[2J[red]x" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["new", "LAB", "--chapter", "1"], "exists already"),
        (["new", "x", "--chapter", "3"], "the chapters that are ready are 1, 2, 4, 8"),
        (["new", "x", "--chapter", "1", "--exercises", "softmaks"], "Did you mean"),
        (["release", "nowhere"], "make a course with `bigmodel lab new nowhere --chapter 1`"),
        (["grade", "nowhere", "-o", "out", "--course", "LAB"], "There is no nowhere"),
        (["grade", ".", "-o", "out"], "There is no course.toml"),
        (["grade", "LAB", "-o", "LAB", "--course", "LAB"], "is the course's own folder"),
        (["try", "nowhere.ipynb"], "There is no notebook nowhere.ipynb"),
        (["try", "text.txt"], "a file that ends in .md or .ipynb was expected"),
    ],
)
def test_what_goes_wrong_is_one_sentence(lab, tmp_path, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    assert says in sentence("lab", *(word.replace("LAB", str(lab)) for word in words))


def test_a_notebook_without_exercises_cannot_be_tried(tmp_path):
    empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "x.ipynb").write_text(json.dumps(empty))
    assert "holds no exercise that can be graded" in sentence("lab", "try", tmp_path / "x.ipynb")


def test_windows_is_refused_in_words(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert "run it in WSL" in sentence("lab", "grade", "x", "-o", "y")
    assert "run it in WSL" in sentence("lab", "try", "x")
