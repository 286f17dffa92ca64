"""What chapters and solutions have to keep to, whatever they are about."""

import ast
import inspect
import re
from pathlib import Path

import jupytext
import pytest
from jupytext.config import load_jupytext_config

from bigmodel_edu import catalogue
from bigmodel_edu.labs.notebooks import exercises_in, fill

BOOK = Path(__file__).parents[2]


def tagged(notebook, prefix):
    """(position, name) of every code cell with a tag "prefix:name"."""
    return [
        (i, tag.removeprefix(prefix))
        for i, cell in enumerate(notebook.cells)
        for tag in cell.metadata.get("tags", [])
        if cell.cell_type == "code" and tag.startswith(prefix)
    ]


def names(notebook, prefix):
    return [name for _, name in tagged(notebook, prefix)]


def test_chapter_and_solutions_hold_the_exercises_of_the_catalogue(untouched, solutions, exercises):
    assert names(untouched, "stub:") == exercises  # in its order, which is that of the board
    assert exercises_in(untouched) == exercises
    assert names(solutions, "answer:") == exercises
    fill(untouched, solutions)


def test_the_code_cell_after_a_stub_checks_its_function_and_nothing_else(untouched):
    for position, name in tagged(untouched, "stub:"):
        following = next(c for c in untouched.cells[position + 1 :] if c.cell_type == "code")
        assert following.source == f'check("{name}", {catalogue.exercise(name).function})'


def test_a_stub_names_its_arguments_as_the_reference_does(untouched):
    """Feedback shows a call by the names of the reference's arguments."""
    for position, name in tagged(untouched, "stub:"):
        exercise = catalogue.exercise(name)
        for node in ast.parse(untouched.cells[position].source).body:
            if isinstance(node, ast.FunctionDef) and node.name == exercise.function:
                own = [arg.arg for arg in (*node.args.args, *node.args.kwonlyargs)]
                assert own == list(inspect.signature(exercise.reference).parameters), name


@pytest.mark.parametrize(("kind", "prefix"), [("untouched", "stub:"), ("solutions", "answer:")])
def test_every_stub_and_every_answer_is_introduced_in_words(chapter, kind, prefix, request):
    notebook = request.getfixturevalue(kind)
    for position, name in tagged(notebook, prefix):
        assert notebook.cells[position - 1].cell_type == "markdown", name


@pytest.mark.parametrize("kind", ["chapter_path", "solutions_path"])
def test_opening_and_saving_it_in_jupyterlab_leaves_it_as_it_is(chapter, kind, request):
    path = request.getfixturevalue(kind)
    text = path.read_text(encoding="utf-8")
    notebook = jupytext.reads(text, fmt="md:myst")
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    assert notebook.metadata["jupytext"]["text_representation"]["format_name"] == "myst"
    saved = jupytext.writes(notebook, "md:myst", config=load_jupytext_config(str(path)))
    assert saved == text, "run `make format`"


@pytest.mark.parametrize("kind", ["untouched", "solutions"])
def test_no_cell_imports_cupy_which_a_reader_need_not_have(chapter, kind, request):
    cells = request.getfixturevalue(kind).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    assert not re.search(r"import cupy|\.cupy_impl\b|\bimport \(?.*\bcupy_impl\b", code)


def test_every_numbered_notebook_belongs_to_a_written_chapter():
    written = {chapter.notebook for chapter in catalogue.written_chapters()}
    for folder in ("chapters", "solutions"):
        found = {path.stem for path in (BOOK / folder).glob("[0-9][0-9]_*.md")}
        assert found - {"00_start_here"} <= written
