import json
import subprocess
import sys
import types
from dataclasses import dataclass, replace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from typer.testing import CliRunner

from bigmodel_edu import __version__, bench, catalogue, doctor, parity
from bigmodel_edu.bench import Timing
from bigmodel_edu.cli import app
from bigmodel_edu.errors import BookError
from bigmodel_edu.labs import Case, Exercise
from bigmodel_edu.parity import Verdict

EXERCISE = Exercise(
    "neural_nets.double", "Double it", 2, lambda x: 2 * x, lambda rng: [Case((3.0,))]
)


@dataclass
class Component:
    name: str
    chapter: str


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv("BIGMODEL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("BIGMODEL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("BIGMODEL_DATA_MIRROR", raising=False)


@pytest.fixture
def book(monkeypatch):
    """A catalogue of two components and one exercise; returns what parity and bench will say."""
    names = ("neural_nets.softmax", "lstm.lstm")
    components = {name: Component(name, name.partition(".")[0]) for name in names}
    monkeypatch.setattr(catalogue, "components", lambda: components)
    monkeypatch.setattr(catalogue, "exercises", lambda: {EXERCISE.name: EXERCISE})
    says = types.SimpleNamespace(status="ok", max_error=3e-13, reason="", on_gpu=(None,) * 3)

    def judge(component):
        def verdict(*words):
            return Verdict(component.name, component.chapter, *words)

        return [
            verdict("torch", "ok", 1e-15, ""),
            verdict("oracle:scipy", says.status, says.max_error, says.reason),
            verdict("cupy", "skipped", None, "no [GPU] here"),
        ]

    def run(component):
        times = (1.5, 2.25, None, *says.on_gpu)
        return [Timing(component.name, component.chapter, "5×7", "forward", *times, "CPU")]

    monkeypatch.setattr(parity, "judge", judge)
    monkeypatch.setattr(bench, "run", run)
    return says


def bigmodel(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def sentence(result):
    """The one sentence of an expected error: on stderr, exit code 2, nothing on stdout."""
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


# As a whole


def test_version():
    assert bigmodel("--version").stdout == f"bigmodel {__version__}\n"


COMMANDS = ("doctor", "parity", "bench", "check", "progress", "lab", "course", "data")


def test_help_names_every_command():
    text = bigmodel("--help").stdout
    assert all(command in text for command in COMMANDS)


@pytest.mark.parametrize("command", [*COMMANDS[:-2], "data list", "data fetch"])
def test_the_help_of_every_command_has_an_example(command):
    text = bigmodel(*command.split(), "--help").stdout
    assert f"Example:  bigmodel {command}" in text


def test_help_loads_nothing_heavy():
    heavy = "{'torch', 'numpy', 'jupytext', 'nbclient', 'IPython', 'matplotlib'}"
    code = f"import sys, bigmodel_edu.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_real_command(tmp_path):
    command = [sys.executable, "-m", "bigmodel_edu.cli", "check", str(tmp_path / "no.md")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"There is no notebook {tmp_path / 'no.md'}: no such file.\n"


# doctor


def test_doctor_reports_and_exits_with_0_when_only_options_are_missing(monkeypatch):
    findings = [
        doctor.Finding("Python", "ok", "3.12"),
        doctor.Finding("GPU", "missing", "[none]", "optional"),
    ]
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    result = bigmodel("doctor")
    assert result.exit_code == 0
    assert "✓  Python  3.12" in result.stdout
    assert "○  GPU     [none]  optional" in result.stdout
    as_json = json.loads(bigmodel("doctor", "--json").stdout)
    assert as_json[1] == {
        "name": "GPU",
        "status": "missing",
        "found": "[none]",
        "advice": "optional",
    }


def test_doctor_exits_with_1_when_something_is_wrong(monkeypatch):
    findings = [doctor.Finding("numpy", "wrong", "not installed", "make lab")]
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    assert bigmodel("doctor").exit_code == 1
    assert bigmodel("doctor", "--json").exit_code == 1


# parity and bench


def test_parity_of_everything(book):
    result = bigmodel("parity")
    assert result.exit_code == 0
    assert "neural_nets" in result.stdout
    assert "softmax" in result.stdout
    assert "lstm" in result.stdout
    assert "✓ 1e-15" in result.stdout
    assert "✓ 3e-13 scipy" in result.stdout
    assert "– skipped cupy: no [GPU] here" in result.stdout
    assert "4 ok, 0 failed, 2 skipped" in result.stdout


@pytest.mark.parametrize("name", ["lstm", "lstm.lstm"])
def test_parity_of_a_chapter_or_a_component_as_json(book, name):
    result = bigmodel("parity", name, "--json")
    assert result.exit_code == 0
    verdicts = json.loads(result.stdout)
    assert {v["component"] for v in verdicts} == {"lstm.lstm"}
    keys = ["component", "chapter", "judge", "status", "max_error", "reason"]
    assert list(verdicts[0]) == keys


def test_the_progress_bar_stays_out_of_the_json(book, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich draws the bar as it does in a terminal
    result = bigmodel("parity", "lstm", "--json")
    assert json.loads(result.stdout)
    assert "lstm.lstm" in result.stderr


def test_parity_exits_with_1_when_a_judge_disagrees(book):
    book.status, book.max_error, book.reason = "failed", None, "'dx' differs at [2, 3]."
    result = bigmodel("parity", "lstm")
    assert result.exit_code == 1
    assert "✗ lstm.lstm, oracle:scipy: 'dx' differs at [2, 3]." in result.stdout
    assert bigmodel("parity", "lstm", "--json").exit_code == 1


@pytest.mark.parametrize("command", ["parity", "bench"])
def test_an_unknown_component_is_one_sentence(book, command):
    assert "Did you mean 'neural_nets.softmax'?" in sentence(
        bigmodel(command, "neural_nets.sofmax")
    )


def test_bench(book):
    result = bigmodel("bench")
    assert result.exit_code == 0
    row = next(line for line in result.stdout.splitlines() if "softmax" in line)
    assert row.split() == ["softmax", "5×7", "forward", "1.5", "2.25", "–", "–"]
    assert "CPU" in result.stdout
    (timing,) = json.loads(bigmodel("bench", "lstm", "--json").stdout)
    assert (timing["pass"], timing["numpy_ms"], timing["cupy_ms"]) == ("forward", 1.5, None)


def test_bench_shows_what_only_a_gpu_measures_where_there_is_one(book):
    assert "CUDA" not in bigmodel("bench").stdout
    book.on_gpu = (0.25, 0.5, 0.125)
    result = bigmodel("bench")
    assert "on CUDA" in result.stdout
    row = next(line for line in result.stdout.splitlines() if "softmax" in line)
    assert row.split()[-3:] == ["0.25", "0.5", "0.125"]


# check


TOY = """
from bigmodel_edu import catalogue
from bigmodel_edu.labs import Case, Exercise, check
cases = lambda rng: [Case((3.0,))]
exercise = Exercise("neural_nets.double", "Double it", 2, lambda x: 2 * x, cases)
catalogue.exercises = lambda: {exercise.name: exercise}
"""


@pytest.fixture
def write(tmp_path):
    def write(name, answer):
        sources = [TOY, f"f = {answer}", 'check("neural_nets.double", f)']
        path = tmp_path / name
        nbformat.write(new_notebook(cells=[new_code_cell(s) for s in sources]), path)
        return path

    return write


def test_check_of_a_right_and_a_wrong_notebook(write):
    right, wrong = write("right.ipynb", "lambda x: x * 2"), write("wrong.ipynb", "lambda x: x")
    result = bigmodel("check", right)
    assert result.exit_code == 0
    assert "✓ neural_nets.double  passed" in result.stdout
    assert "1 of 1 exercises passed, 2 points" in result.stdout
    result = bigmodel("check", right, wrong)
    assert result.exit_code == 1
    assert "✗ neural_nets.double  failed" in result.stdout
    assert "yours 3, expected 6" in result.stdout


def test_check_as_json(write):
    result = bigmodel("check", "--json", write("blank.ipynb", "..."))
    assert result.exit_code == 1
    (report,) = json.loads(result.stdout)
    assert report["passed"] is False
    (outcome,) = report["exercises"]
    assert outcome["exercise"] == "neural_nets.double"
    assert outcome["status"] == "not attempted"


def test_check_shows_other_errors(write):
    result = bigmodel("check", write("bad.ipynb", "undefined"))
    assert result.exit_code == 1
    assert "– neural_nets.double  not reached" in result.stdout
    assert "! code cell 2 stopped with NameError" in result.stdout


def test_check_stops_a_cell_after_the_timeout(write):
    result = bigmodel("check", "--timeout", 1, write("slow.ipynb", "__import__('time').sleep(60)"))
    assert result.exit_code == 1
    assert "ran longer than 1 seconds" in result.stdout


def test_what_cannot_be_checked_is_one_sentence_and_nothing_runs(write, tmp_path):
    touches = write("touches.ipynb", "open('touched', 'w')")
    nbformat.write(new_notebook(), tmp_path / "empty.ipynb")
    (tmp_path / "prose.md").write_text("# Prose\n", encoding="utf-8")
    assert "holds no exercises" in sentence(bigmodel("check", touches, tmp_path / "empty.ipynb"))
    assert "is no notebook" in sentence(bigmodel("check", touches, tmp_path / "prose.md"))
    assert "no such file" in sentence(bigmodel("check", touches, tmp_path / "gone.md"))
    assert not (tmp_path / "touched").exists()


# data, progress, lab


def test_data_list():
    assert "fashion-mnist" in bigmodel("data", "list").stdout
    downloads = json.loads(bigmodel("data", "list", "--json").stdout)
    fashion = next(d for d in downloads if d["name"] == "fashion-mnist")
    assert fashion["bytes"] == 30_878_645
    assert fashion["status"] == "missing"


def test_data_fetch(monkeypatch, tmp_path):
    from bigmodel_edu import data

    monkeypatch.setattr(data, "fetch", lambda name: (tmp_path / name,))
    assert bigmodel("data", "fetch", "toy").stdout == f"{tmp_path / 'toy'}\n"


@pytest.fixture
def in_chapters(monkeypatch, tmp_path):
    """Chapters use three sets, the second of which cannot be had; returns what was fetched."""
    from bigmodel_edu import data

    def fetch(name):
        if name == "two":
            raise BookError("two is not here and not to be had.")
        fetched.append(name)
        return (tmp_path / name,)

    fetched = []
    for name, download in dict(data.DOWNLOADS).items():
        monkeypatch.setitem(data.DOWNLOADS, name, replace(download, in_chapters=False))
    for number, name in enumerate(("one", "two", "three"), 1):
        file = data.DataFile(name, number * 1000, "", "")
        download = data.Download(name, "", (file,), "", "", "", in_chapters=True)
        monkeypatch.setitem(data.DOWNLOADS, name, download)
    monkeypatch.setattr(data, "fetch", fetch)
    return fetched


def test_data_fetch_default_says_how_much_and_goes_on(in_chapters):
    result = bigmodel("data", "fetch", "--default")
    assert result.stdout == (
        "Fetching the data that the chapters use: one 1 kB + two 2 kB + three 3 kB ...\n"
    )
    assert (result.exit_code, result.stderr) == (2, "two is not here and not to be had.\n")
    assert in_chapters == ["one", "three"]


def test_data_fetch_default_where_all_is_here(in_chapters, monkeypatch):
    from bigmodel_edu import data

    monkeypatch.setattr(data, "status", lambda name: "ready")
    monkeypatch.setattr(data, "fetch", in_chapters.append)
    result = bigmodel("data", "fetch", "--default")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "The data that the chapters use is here: one 1 kB + two 2 kB" in result.stdout
    assert in_chapters == ["one", "two", "three"], "their checksums are verified all the same"


@pytest.mark.parametrize("arguments", [(), ("umls", "--default")])
def test_data_fetch_needs_a_name_or_default(arguments):
    assert "one name from `bigmodel data list`, or --default" in (
        sentence(bigmodel("data", "fetch", *arguments))
    )


def test_data_list_names_whom_to_name():
    owner = "Twitter, Inc and other contributors, CC BY 4.0"
    assert owner in bigmodel("data", "list").stdout
    downloads = json.loads(bigmodel("data", "list", "--json").stdout)
    assert owner in next(d["attribution"] for d in downloads if d["name"] == "emoji")


def test_data_fetch_of_an_unknown_set_is_one_sentence():
    assert "Did you mean 'fashion-mnist'?" in sentence(bigmodel("data", "fetch", "fashion-mnst"))


def test_progress(book):
    assert "○  Double it" in bigmodel("progress").stdout
    (line,) = json.loads(bigmodel("progress", "--json").stdout)
    assert (line["exercise"], line["points"], line["total"]) == (EXERCISE.name, 0, 2)


@pytest.mark.parametrize(
    "arguments",
    [[], ["--no-browser"], ["--port", "8890", "--ServerApp.token=x"], ["."], ["-y"]],
)
def test_lab_passes_its_arguments_on(monkeypatch, arguments):
    seen = []
    jupyterlab = types.SimpleNamespace(main=lambda arguments: seen.append(arguments) or 3)
    monkeypatch.setitem(sys.modules, "bigmodel_edu.jupyter", jupyterlab)
    assert bigmodel("lab", *arguments).exit_code == 3
    assert seen == [arguments]


def test_lab_opens_no_file_that_does_not_exist(monkeypatch):
    monkeypatch.setitem(sys.modules, "bigmodel_edu.jupyter", None)
    result = bigmodel("lab", "realease")
    assert result.exit_code == 2
    assert "No such file: 'realease'." in result.stderr
    assert bigmodel("lab", "x" * 300).exit_code == 2


@pytest.mark.parametrize("command", ["new", "release", "grade", "try"])
def test_lab_names_the_command_of_a_course(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert f"`bigmodel course {command}`" in sentence(bigmodel("lab", command, "--chapter", "1"))
