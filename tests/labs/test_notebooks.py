import json
import os
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from bigmodel_edu.labs import notebooks
from bigmodel_edu.labs.notebooks import (
    CellError,
    CellRaised,
    ExercisesDoNotMatch,
    NotANotebook,
    execute_to_ipynb,
    exercises_in,
    fill,
    read_notebook,
    run_and_report,
)

HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3 (ipykernel)
  language: python
  name: python3
---

# A chapter
"""
TOY = """
from bigmodel_edu import catalogue
from bigmodel_edu.labs import Case, Exercise, check, hint

def toy(name, factor):
    return Exercise(name, name, 2, lambda x: factor * x, lambda rng: [Case((rng.uniform(1, 2),))])

catalogue.exercises = lambda: {"toy.double": toy("toy.double", 2), "toy.half": toy("toy.half", 0.5)}
"""


def cell(source, *tags):
    return new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def stub(name):
    return cell("def f(x):\n    ...", f"stub:{name}")


def check_of(name):
    return cell(f'check("{name}", f)')


def chapter(*names):
    cells = [c for name in names for c in (stub(name), new_markdown_cell("Now:"), check_of(name))]
    return new_notebook(cells=[cell(TOY), *cells])


def solutions(**factors):
    cells = [
        cell(f"def f(x):\n    return {factor} * x", f"answer:toy.{name}")
        for name, factor in factors.items()
    ]
    return new_notebook(cells=cells)


@pytest.fixture
def write(tmp_path):
    """Write a notebook into a folder of its own and return its path."""

    def write(notebook, name="chapter.ipynb"):
        path = tmp_path / "book" / name
        path.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, path)
        return path

    return write


def myst(tmp_path, *sources, name="chapter.md"):
    path = tmp_path / name
    blocks = [f"```{{code-cell}} ipython3\n{source}\n```\n" for source in sources]
    path.write_text("\n".join([HEADER, *blocks]), encoding="utf-8")
    return path


# Reading


def test_a_myst_notebook_and_an_ipynb(tmp_path, write):
    from_myst = read_notebook(myst(tmp_path, ':tags: ["stub:a.b"]\nx = 1'))
    assert [c.cell_type for c in from_myst.cells] == ["markdown", "code"]
    assert from_myst.cells[1].metadata.tags == ["stub:a.b"]
    assert len(read_notebook(write(chapter("toy.double"))).cells) == 4


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.py", b"x = 1", "a file that ends in .md or .ipynb was expected"),
        ("a.md", b"# Only prose\n", "name no kernelspec"),
        ("a.md", b"---\ntitle: x\n---\n# Prose\n", "name no kernelspec"),
        ("a.md", b"---\nkernelspec: [\n---\n", "a.md is no notebook"),
        ("a.md", b"\xff\xfe\x00", "cannot be read as a notebook"),
        ("a.ipynb", b"{", "a.ipynb is no notebook"),
        ("a.ipynb", b"[]", "a.ipynb is no notebook"),
        ("a.ipynb", b'{"cells": 3}', "a.ipynb is no notebook"),
        ("a.ipynb", b"", "a.ipynb is no notebook"),
    ],
)
def test_what_is_no_notebook_is_refused_in_one_sentence(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NotANotebook, match=says) as caught:
        read_notebook(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(NotANotebook, match="no such file"):
        read_notebook(tmp_path / "nothing.md")
    (tmp_path / "folder.md").mkdir()
    with pytest.raises(NotANotebook, match="cannot be read"):
        read_notebook(tmp_path / "folder.md")


def test_exercises_are_found_by_their_checks():
    sources = [
        'check("a.one", f)\nlabs.check("a.two", g)',
        '%matplotlib inline\n!ls\ncheck("a.three", f, seed=3)',
        '# check("a.comment", f)\ntext = \'check("a.text", f)\'\ncheck(name, f)\ncheck()',
        "this is no Python",
        'check("a.one", f)',
        "check?",
    ]
    notebook = new_notebook(cells=[new_markdown_cell('check("a.md", f)'), *map(cell, sources)])
    assert exercises_in(notebook) == ["a.one", "a.two", "a.three"]


# Filling


def test_fill_puts_every_answer_in_its_place():
    untouched = chapter("toy.double", "toy.half")
    filled = fill(untouched, solutions(half=0.5, double=2))
    sources = [c.source for c in filled.cells if c.metadata.get("tags")]
    assert sources == ["def f(x):\n    return 2 * x", "def f(x):\n    return 0.5 * x"]
    assert filled.cells[1].metadata.tags == ["stub:toy.double"]
    assert untouched.cells[1].source == "def f(x):\n    ..."


@pytest.mark.parametrize(
    ("book", "answers", "says"),
    [
        (chapter("toy.double"), solutions(), r"an exercise without an answer \(toy.double\)"),
        (chapter(), solutions(half=1), r"an answer without an exercise \(toy.half\)"),
        (
            chapter("toy.double", "toy.double"),
            solutions(double=2),
            r"more than one stub \(toy.double\)",
        ),
        (
            chapter("toy.double"),
            new_notebook(cells=solutions(double=2).cells + solutions(double=3).cells),
            r"more than one answer \(toy.double\)",
        ),
        (
            new_notebook(cells=[check_of("toy.double"), stub("toy.double")]),
            solutions(double=2),
            r"a stub without a check after it \(toy.double\)",
        ),
        (
            new_notebook(cells=[check_of("toy.double")]),
            solutions(),
            r"a check without a stub \(toy.double\)",
        ),
    ],
)
def test_fill_names_what_does_not_match(book, answers, says):
    with pytest.raises(ExercisesDoNotMatch, match=says):
        fill(book, answers)


def test_fill_names_every_fault_at_once():
    with pytest.raises(ExercisesDoNotMatch, match=r"toy\.double\); an answer .*toy\.half"):
        fill(chapter("toy.double"), solutions(half=1))


# Running


def statuses(report):
    return {outcome.exercise: outcome.status for outcome in report.exercises}


def test_an_untouched_chapter(write):
    report = run_and_report(write(chapter("toy.double", "toy.half")))
    assert statuses(report) == {"toy.double": "not attempted", "toy.half": "not attempted"}
    assert not report.passed
    assert report.errors == ()


def test_a_filled_chapter(write):
    book = fill(chapter("toy.double", "toy.half"), solutions(double=2, half=0.5))
    report = run_and_report(write(book))
    assert report.passed
    assert sum(outcome.points for outcome in report.exercises) == 4


def test_everything_that_can_happen(write, state):
    book = fill(chapter("toy.double", "toy.half"), solutions(double=3, half=0.5))
    book.cells += [
        cell("1 / 0"),
        cell("1 / 0", "raises-exception"),
        cell("import time; time.sleep(60)"),
        cell('check("toy.missing", f)'),
        cell('if False: check("toy.never", f)'),
        cell('check("toy.half", lambda x: x)'),
    ]
    report = run_and_report(write(book), timeout=2)
    assert statuses(report) == {
        "toy.double": "failed",
        "toy.half": "passed",  # a later wrong attempt does not take it back
        "toy.missing": "not reached",
        "toy.never": "not reached",
    }
    outcomes = {outcome.exercise: outcome for outcome in report.exercises}
    assert "Your answer has the wrong value" in outcomes["toy.double"].message
    assert "code cell 9 stopped with UnknownName" in outcomes["toy.missing"].message
    assert "code cell 6 stopped with ZeroDivisionError" in outcomes["toy.never"].message
    assert [(error.cell, error.name) for error in report.errors] == [
        (6, "ZeroDivisionError"),
        (8, "CellTimeout"),
        (9, "UnknownName"),
    ]
    assert "longer than 2 seconds" in report.errors[1].message
    assert json.loads(json.dumps(report.as_json()))["passed"] is False
    assert not state.exists()  # the reader's own progress


def test_an_error_without_words():
    assert str(CellError(3, "AssertionError", "")) == "code cell 3 stopped with AssertionError"


def test_a_kernel_that_dies(write):
    book = chapter("toy.double")
    book.cells.insert(1, cell("import os; os._exit(1)"))
    report = run_and_report(write(book))
    assert statuses(report) == {"toy.double": "not reached"}
    assert [(error.cell, error.name) for error in report.errors] == [(2, "DeadKernelError")]


@pytest.mark.parametrize("last", ["1", "raise SystemExit", "import os; os._exit(1)"])
def test_no_kernel_is_left_running(tmp_path, write, last):
    source = f"import os, pathlib; pathlib.Path('pid').write_text(str(os.getpid()))\n{last}"
    run_and_report(write(new_notebook(cells=[cell(source)])))
    pid = int(next(tmp_path.rglob("pid")).read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_it_runs_in_its_own_folder_with_this_interpreter(write, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", os.devnull)
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    book = new_notebook(
        cells=[
            cell(TOY),
            cell("import os, sys"),
            cell(f"assert sys.executable == {sys.executable!r}"),
            cell("assert os.path.basename(os.getcwd()) == 'book'"),
            cell("f = lambda x: 2 * x"),
            check_of("toy.double"),
        ],
        metadata={"kernelspec": {"name": "no-such-kernel", "display_name": "?"}},
    )
    report = run_and_report(write(book))
    assert report.errors == ()
    assert report.passed


# Storing


def test_execute_stores_outputs_that_do_not_depend_on_the_run(tmp_path):
    path = myst(
        tmp_path,
        "import sys\nprint('hello'); print('noise', file=sys.stderr)",
        TOY,
        'f = lambda x: 2 * x\ncheck("toy.double", f)',
        'f = lambda x: 2 * x\ncheck("toy.double", f)',
    )
    target = execute_to_ipynb(path)
    first = target.read_bytes()
    assert target == path.with_suffix(".ipynb")
    assert execute_to_ipynb(path).read_bytes() == first
    stored = read_notebook(target)
    assert stored.cells[1].outputs[0].text == "hello\n"
    assert len(stored.cells[1].outputs) == 1
    assert stored.cells[3].outputs[0].data["text/plain"] == "✓ toy.double: right, 2 points"
    assert stored.metadata.language_info == {"name": "python"}
    assert "jupytext" not in stored.metadata
    assert sorted(p.name for p in tmp_path.iterdir()) == ["chapter.ipynb", "chapter.md"]


def test_ids_follow_the_source_so_that_an_inserted_cell_is_a_small_diff(tmp_path):
    before = read_notebook(execute_to_ipynb(myst(tmp_path, "1", "2")))
    after = read_notebook(execute_to_ipynb(myst(tmp_path, "0", "1", "2")))
    assert [c.id for c in before.cells][1:] == [c.id for c in after.cells][2:]


@pytest.mark.parametrize("source", ["1 / 0", TOY + 'check("toy.double", lambda x: x)'])
def test_execute_refuses_to_store_an_error(tmp_path, source):
    path = myst(tmp_path, "1", source)
    path.with_suffix(".ipynb").write_text("the old one", encoding="utf-8")
    with pytest.raises(CellRaised, match="top to bottom: code cell 2 stopped with") as e:
        execute_to_ipynb(path)
    assert "\n" not in str(e.value)
    assert path.with_suffix(".ipynb").read_text(encoding="utf-8") == "the old one"


def test_execute_as_a_command(tmp_path, capsys):
    assert notebooks.main(["execute", str(myst(tmp_path, "1"))]) == 0
    assert "chapter.ipynb" in capsys.readouterr().out
    assert notebooks.main(["execute", str(tmp_path / "nothing.md")]) == 2
    assert "no such file" in capsys.readouterr().err
