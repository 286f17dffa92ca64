"""`bigmodel course`: what its commands print, and what goes wrong in one sentence."""

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
from bigmodel_edu.course import submissions
from bigmodel_edu.course.grades import Grade
from bigmodel_edu.course.settings import CourseError

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
def folder(tmp_path) -> Path:
    printed("course", "new", tmp_path / "lab1", "--chapter", 1, "--exercises", "softmax, neuron")
    return tmp_path / "lab1"


def handed_in(folder: Path, **answers: str) -> Path:
    """The released notebook, with answers in the place of its stubs."""
    (released,) = (
        Path(p) for p in printed("course", "release", folder).split() if p.endswith("ipynb")
    )
    notebook = json.loads(released.read_text())
    for cell in notebook["cells"]:
        for name, answer in answers.items():
            if f"stub:neural_nets.{name}" in cell["metadata"].get("tags", []):
                cell["source"] = answer
    path = folder.parent / "submissions" / "Ada" / released.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook))
    return path


@pytest.mark.parametrize("command", ["new", "release", "grade", "try"])
def test_every_command_has_an_example(command):
    assert f"Example:  bigmodel course {command}" in printed("course", command, "--help")
    assert command in printed("course", "--help")


def test_new_says_what_comes_next(tmp_path):
    text = printed("course", "new", tmp_path / "x", "--chapter", 2, "--title", "Week 3")
    assert text.startswith(f"{tmp_path / 'x' / 'course.toml'}: 11 exercises, 20 points.")
    assert text.endswith(f"then: bigmodel course release {tmp_path / 'x'}\n")
    assert 'title = "Week 3"' in (tmp_path / "x" / "course.toml").read_text()


def test_new_names_the_next_command_as_a_shell_reads_it(tmp_path):
    folder = tmp_path / "lab 1; $HOME"
    text = printed("course", "new", folder, "--chapter", 1, "--exercises", "softmax")
    assert ": 1 exercise, 2 points." in text
    assert shlex.split(text)[-4:] == ["bigmodel", "course", "release", str(folder)]


def test_release_prints_what_it_wrote(folder, tmp_path):
    paths = printed("course", "release", folder).split()
    assert paths == [str(folder / "release" / f"01_neural_nets.{kind}") for kind in ("ipynb", "md")]
    paths = printed("course", "release", folder, "-o", tmp_path / "else").split()
    assert all(Path(path).parent == tmp_path / "else" for path in paths)
    paths = printed("course", "release", folder, "--format", "nbgrader").split()
    assert paths[1] == str(folder / "nbgrader" / "source" / "lab1" / "01_neural_nets.ipynb")
    Path(paths[0]).write_text("changed")
    assert "--force" in sentence("course", "release", folder, "--format", "nbgrader")
    printed("course", "release", folder, "--format", "nbgrader", "--force")


def test_grade_says_what_came_of_it(folder, tmp_path):
    handed_in(folder, softmax=SOFTMAX)
    out = tmp_path / "results"
    text = printed("course", "grade", tmp_path / "submissions", "-o", out, "--course", folder)
    first, second, third = text.splitlines()
    assert first == (
        "1 student, 2 of 3 points on average; 0 exercises stopped, 0 students flagged."
    )
    assert second.startswith("Held by: ")
    assert third == f"The class page: {out / 'index.html'}"


def grading(monkeypatch, run) -> None:
    """Let `run(arguments)` stand for the grader."""
    fake = types.SimpleNamespace(grade_course=lambda *args, **more: run(args, more))
    monkeypatch.setitem(sys.modules, "bigmodel_edu.course.whole_class", fake)


def test_grade_hands_its_options_on(folder, tmp_path, monkeypatch):
    def run(args, more):
        course, places, out = args
        assert course.folder == folder
        assert places == [Path("a"), Path("b.zip")]
        assert out == tmp_path
        assert more.pop("progress")(1, 2) is None
        assert more == {"workers": 3, "allow_unconfined": True}
        raise KeyboardInterrupt

    grading(monkeypatch, run)
    words = ["a", "b.zip", "-o", tmp_path, "--course", folder, "--workers", 3, "--allow-unconfined"]
    assert bigmodel("course", "grade", *words).exit_code == 130


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_stopped_says_that_it_goes_on(folder, monkeypatch, usual_signals, end):
    before = signal.getsignal(end)
    grading(monkeypatch, lambda *_: os.kill(os.getpid(), end))
    result = bigmodel("course", "grade", "x", "-o", "y", "--course", folder)
    assert result.exit_code == 130
    assert result.stdout == ""
    assert result.stderr == "Stopped. The same command goes on from here.\n"
    assert signal.getsignal(end) == before


def test_nohup_is_respected(folder, monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def run(*_):
        os.kill(os.getpid(), signal.SIGHUP)
        raise CourseError("It went on.")

    grading(monkeypatch, run)
    try:
        assert sentence("course", "grade", "x", "-o", "y", "--course", folder) == "It went on."
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("workers", [0, -1, "many"])
def test_there_is_at_least_one_worker(folder, monkeypatch, workers):
    grading(monkeypatch, lambda *_: pytest.fail("it ran"))
    result = bigmodel("course", "grade", "x", "-o", "y", "--course", folder, "--workers", workers)
    assert result.exit_code == 2
    assert "Invalid value for '--workers'" in result.stderr


def test_grade_says_where_the_results_go(folder):
    result = bigmodel("course", "grade", "x", "--course", folder)
    assert result.exit_code == 2
    assert "Missing option" in result.stderr
    assert "--out" in result.stderr


def test_try_says_what_a_course_would_say(folder):
    path = handed_in(folder, softmax=SOFTMAX, neuron="def neuron(x, w, b): return w @ x + b")
    result = bigmodel("course", "try", path)
    assert result.exit_code == 1
    assert "✓ neural_nets.softmax  passed" in result.stdout
    assert "You returned z, the weighted sum; the neuron's output is σ(z)." in result.stdout
    assert "2 of 3 points; held by: " in result.stdout
    entries = json.loads(bigmodel("course", "try", path, "--json").stdout)
    assert [entry["points"] for entry in entries] == [2, 0]
    handed_in(
        folder, softmax=SOFTMAX, neuron="def neuron(x, w, b): return 1 / (1 + np.exp(-(w @ x) - b))"
    )
    assert bigmodel("course", "try", path).exit_code == 0


def test_try_hands_the_imports_on(monkeypatch):
    seen = []
    fake = types.SimpleNamespace(try_notebook=lambda *args: seen.append(args) or [GRADE])
    monkeypatch.setitem(sys.modules, "bigmodel_edu.course.own_notebook", fake)
    assert bigmodel("course", "try", "x.ipynb", "--imports", "numpy, scipy,").exit_code == 0
    assert seen == [(Path("x.ipynb"), ["numpy", "scipy"])]


def test_a_notebook_that_is_too_large_is_one_sentence(folder, monkeypatch):
    path = handed_in(folder, softmax=SOFTMAX)
    monkeypatch.setattr(submissions, "MAX_NOTEBOOK", 100)
    assert "is larger than 0 MB" in sentence("course", "try", path)


@pytest.mark.parametrize("kind", ["ipynb", "md"])
def test_try_knows_the_course_that_handed_the_notebook_out(folder, kind):
    """Its points, its limits, its packages, and the exercises that were deleted."""
    settings = folder / "course.toml"
    text = settings.read_text().replace("softmax = 2", "softmax = 7")
    settings.write_text(text.replace('["numpy"]', '["numpy", "scipy"]').replace("= 1000", "= 2000"))
    path = next(Path(p) for p in printed("course", "release", folder).split() if p.endswith(kind))
    assert "secret" not in path.read_text()
    end = "\\n" if kind == "ipynb" else "\n"
    answer = f"from scipy.special import softmax as s{end}def softmax(z): return s(z, axis=-1)"
    text = path.read_text().replace("def softmax(z): ...", answer)
    path.write_text(text.replace("def neuron(x, w, b): ...", "pass"))
    entries = json.loads(bigmodel("course", "try", path, "--json").stdout)
    assert [(e["points"], e["of"], e["status"]) for e in entries] == [
        (7, 7, "passed"),
        (0, 1, "missing"),
    ]


@pytest.mark.parametrize("entries", ["x", [], {"points": 5}, {"points": [["softmax", "many"]]}])
def test_a_notebook_with_other_metadata_is_tried_or_refused_in_words(folder, entries):
    path = handed_in(folder, softmax=SOFTMAX)
    notebook = json.loads(path.read_text())
    notebook["metadata"]["bigmodel"] = entries
    path.write_text(json.dumps(notebook))
    result = bigmodel("course", "try", path)
    assert result.exit_code == (2 if isinstance(entries, dict) else 1)
    assert not result.exception or isinstance(result.exception, SystemExit)


def test_try_prints_nothing_that_a_terminal_obeys(monkeypatch, tmp_path):
    evil = replace(GRADE, status="failed", points=0, message="\x1b[2J[red]x\x07")
    fake = types.SimpleNamespace(try_notebook=lambda *args: [evil])
    monkeypatch.setitem(sys.modules, "bigmodel_edu.course.own_notebook", fake)
    text = bigmodel("course", "try", tmp_path / "x.ipynb").stdout
    assert "\x1b" not in text
    assert "\x07" not in text
    assert r"\x1b[2J[red]x" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["new", "COURSE", "--chapter", "1"], "exists already"),
        (["new", "x", "--chapter", "3"], "the chapters that are ready are 1, 2, 4, 8"),
        (["new", "x", "--chapter", "1", "--exercises", "softmaks"], "Did you mean"),
        (["release", "nowhere"], "make a course with `bigmodel course new nowhere --chapter 1`"),
        (["grade", "nowhere", "-o", "out", "--course", "COURSE"], "There is no nowhere"),
        (["grade", ".", "-o", "out"], "There is no course.toml"),
        (["grade", "COURSE", "-o", "COURSE", "--course", "COURSE"], "is the course's own folder"),
        (["try", "nowhere.ipynb"], "There is no notebook nowhere.ipynb"),
        (["try", "text.txt"], "a file that ends in .md or .ipynb was expected"),
    ],
)
def test_what_goes_wrong_is_one_sentence(folder, tmp_path, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    assert says in sentence("course", *(word.replace("COURSE", str(folder)) for word in words))


def test_a_notebook_without_exercises_cannot_be_tried(tmp_path):
    empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "x.ipynb").write_text(json.dumps(empty))
    assert "holds no exercise that can be graded" in sentence("course", "try", tmp_path / "x.ipynb")


def test_windows_is_refused_in_words(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert "run it in WSL" in sentence("course", "grade", "x", "-o", "y")
    assert "run it in WSL" in sentence("course", "try", "x")
