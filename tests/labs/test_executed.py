"""Executed notebooks that are kept: run once, and again when what they depend on has changed."""

import pytest
from jupytext import write
from nbformat.v4 import new_code_cell, new_notebook

from bigmodel_edu.labs import executed
from bigmodel_edu.labs.executed import kept_or_run, run_and_keep
from bigmodel_edu.labs.notebooks import CellRaised

TOY = """
from bigmodel_edu.labs import Case, Exercise, check
toy = Exercise("toy.double", "Double", 1, lambda x: 2 * x, lambda rng: [Case((rng.random(),))])
check(toy, lambda x: ...);
"""
NOTE_A_RUN = "print('run', file=open('runs.txt', 'a'))"


@pytest.fixture
def page(tmp_path):
    """Return `page(*cells)`: chapters/page.md in a folder of its own, with these cells."""
    (tmp_path / "chapters").mkdir()
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}

    def page(*cells):
        path = tmp_path / "chapters" / "page.md"
        notebook = new_notebook(
            cells=[new_code_cell(cell) for cell in cells], metadata={"kernelspec": kernel}
        )
        write(notebook, path, fmt="md:myst")
        return path

    return page


def runs(path) -> int:
    return len((path.parent / "runs.txt").read_text().splitlines())


def kept(path) -> list[str]:
    return [file.name for file in (path.parents[1] / "_build" / "executed").glob("*")]


def test_what_was_run_is_kept_with_its_outputs_and_statuses(page):
    path = page(NOTE_A_RUN, TOY, "1 + 1")
    first = run_and_keep(path)
    again = kept_or_run(path)
    assert runs(path) == 1
    assert first.statuses == again.statuses == {"toy.double": "not attempted"}
    assert again.notebook.cells[2].outputs[0]["data"]["text/plain"] == "2"
    assert "statuses" not in again.notebook.metadata
    assert len(kept(path)) == 1
    assert kept(path)[0].startswith("chapters-page-")


def test_a_test_runs_it_whatever_is_kept(page):
    path = page(NOTE_A_RUN)
    run_and_keep(path)
    run_and_keep(path)
    assert runs(path) == 2
    assert len(kept(path)) == 1


def test_what_is_not_kept_is_run(page):
    path = page(NOTE_A_RUN)
    kept_or_run(path)
    kept_or_run(path)
    assert runs(path) == 1


def test_another_text_is_run_again_and_takes_the_place(page):
    run_and_keep(page(NOTE_A_RUN))
    path = page(NOTE_A_RUN, "2")
    kept_or_run(path)
    assert runs(path) == 2
    assert len(kept(path)) == 1


@pytest.mark.parametrize("what", ["source", "installed"])
def test_another_package_is_run_again(page, tmp_path, monkeypatch, what):
    path = page(NOTE_A_RUN)
    run_and_keep(path)
    if what == "source":
        (tmp_path / "package").mkdir()
        (tmp_path / "package" / "layer.py").write_text("")
        monkeypatch.setattr(executed, "PACKAGE", tmp_path / "package")
    else:
        monkeypatch.setattr(executed, "version", lambda name: "another")
    executed._environment.cache_clear()
    kept_or_run(path)
    executed._environment.cache_clear()
    assert runs(path) == 2


def test_what_raises_is_told_and_not_kept(page):
    path = page("1 / 0")
    with pytest.raises(CellRaised, match="code cell 1 stopped with ZeroDivisionError") as raised:
        kept_or_run(path)
    assert "division by zero" in raised.value.__notes__[0]
    assert not (path.parents[1] / "_build").exists()


def test_what_only_the_site_or_the_tests_need_does_not_count():
    """`make book` installs it after `make test` has run the chapters."""
    names = {dependency.partition(" ")[0] for dependency in executed._dependencies()}
    assert {"numpy", "torch"} <= names
    assert not names & {"jupyter-book", "nbval", "ruff"}
