"""The notebook that students get: whole, runnable, and without answers."""

import ast
import contextlib
import io
import os
import re
import warnings
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pytest

from bigmodel_edu import catalogue
from bigmodel_edu.course import nbgrader
from bigmodel_edu.course.answers import answer
from bigmodel_edu.course.points import points_earned
from bigmodel_edu.course.release import assignment_notebook, book_notebook, chapter_path, release
from bigmodel_edu.course.settings import CourseError, Limits, new_course
from bigmodel_edu.labs.notebooks import ANSWER
from bigmodel_edu.labs.results import CheckFailed

MANY = 12
"""Characters of a line that does not stand in a text by chance, as `return y` may."""
CHAPTERS = [chapter.number for chapter in catalogue.written_chapters()]
each_chapter = pytest.mark.parametrize("course", CHAPTERS, indirect=True)


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("BIGMODEL_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def course(request, tmp_path):
    number = getattr(request, "param", 1)
    return replace(new_course(tmp_path / "lab1", number), secret="the secret of this course")


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def answers_of(course) -> dict[str, str]:
    """The book's answers, by the exercise's name."""
    return {
        tag.removeprefix(ANSWER): cell.source
        for cell in book_notebook(course, "solutions").cells
        for tag in cell.metadata.get("tags", [])
        if tag.startswith(ANSWER)
    }


def execute(cells: list[str]) -> str:
    """Run cells one after the other, as a kernel would; return what they print."""
    namespace, printed = {}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        for cell in cells:
            exec(compile(cell, "<cell>", "exec"), namespace)
    return printed.getvalue()


@each_chapter
def test_it_runs_untouched_and_nothing_is_attempted(course):
    printed = execute([cell.source for cell in code_cells(assignment_notebook(course))])
    assert printed.count("Not attempted yet") == len(course.points)


def solved(course):
    """The notebook with the book's answers in the place of the stubs."""
    notebook = assignment_notebook(course)
    for cell in code_cells(notebook):
        for tag in cell.metadata.get("tags", []):
            exercise = catalogue.exercise(tag.removeprefix("stub:"))
            cell.source = nbgrader.solution_of(course, exercise)
    return notebook


@each_chapter
def test_solved_it_passes(course):
    printed = execute([cell.source for cell in code_cells(solved(course))])
    assert printed.count("✓") == len(course.points)


@each_chapter
def test_once_solved_each_function_is_found_in_both_formats(course):
    notebook = solved(course)
    ipynb = nbformat.writes(notebook).encode()
    markdown = jupytext.writes(notebook, fmt="md:myst").encode()
    for exercise in course.exercises:
        one = answer(ipynb, False, exercise.function)
        assert one == answer(markdown, True, exercise.function)
        assert one.found
        assert nbgrader.solution_of(course, exercise) in one.source
        assert "bigmodel_edu.labs" not in one.source


@each_chapter
def test_no_answer_is_in_it(course):
    notebook = assignment_notebook(course)
    text = "\n".join(cell.source for cell in notebook.cells)
    for name in course.points:
        source = answers_of(course)[name]
        (definition,) = ast.parse(source).body
        body = "\n".join(map(ast.unparse, definition.body))
        for line in [*body.splitlines(), *source.splitlines()[1:]]:
            assert len(line.strip()) < MANY or line.strip() not in text
    for cell in code_cells(notebook):
        if cell.metadata.get("tags"):
            (stub,) = ast.parse(cell.source).body
            assert [ast.unparse(statement) for statement in stub.body] == ["..."]


@each_chapter
def test_every_exercise_is_there_in_order_with_its_points(course):
    notebook = assignment_notebook(course)
    tags = [tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])]
    assert tags == [f"stub:{name}" for name in course.points]
    headings = [c.source.splitlines()[0] for c in notebook.cells if c.source.startswith("## ")]
    for number, (exercise, heading) in enumerate(
        zip(course.exercises, headings, strict=True), start=1
    ):
        assert heading.startswith(f"## {number} · {exercise.title} ★")
        points = course.points[exercise.name]
        assert heading.endswith("(1 point)" if points == 1 else f"({points} points)")


@each_chapter
def test_no_markup_is_left_that_only_the_book_knows(course):
    for cell in assignment_notebook(course).cells:
        if cell.cell_type == "markdown":
            prose = re.sub(r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`", "", cell.source, flags=re.DOTALL)
            assert not re.search(r"\{[a-z:-]+\}|:::|eq-|\]\(|In this chapter", prose), cell.source
            assert "reference." not in cell.source


def test_equations_are_brought_along_and_numbered(course):
    course = replace(course, points={"neural_nets.adam_step": 1, "neural_nets.neuron": 1})
    cells = assignment_notebook(course).cells
    first, second = (c.source for c in cells if c.source.startswith("## "))
    assert "raw averages\nof (1)" in first
    assert "Equation (1):\n\n$$\nm_t" in first
    assert "equation (2)" in second
    assert r"\sigma(z)" in second
    assert "Equation (2):" in second


def test_both_formats_hold_the_same(course, tmp_path):
    ipynb, markdown = release(course, tmp_path / "out")
    one, other = nbformat.read(ipynb, as_version=4), jupytext.read(markdown)
    assert [c.source for c in one.cells] == [c.source for c in other.cells]
    assert nbformat.validator.isvalid(one)
    for path in (ipynb, markdown):
        found = answer(path.read_bytes(), path.suffix == ".md", "softmax")
        assert found.found


def test_the_title_says_what_counts(course):
    deadline = datetime.fromisoformat("2027-01-31T23:59:00+01:00")
    course = replace(course, deadline=deadline, imports=("numpy", "scipy"), title="Lab *one*")
    course = replace(course, points={**course.points, "neural_nets.neuron": 0.5})
    course = replace(course, limits=Limits(seconds=7, memory_mb=321))
    title = assignment_notebook(course).cells[0].source
    assert title.startswith("# Lab *one*")
    assert "**31 January 2027, 23:59 (UTC+01:00)**" in title
    assert "NumPy, `scipy`" in title
    assert "| One neuron | 0.5 |" in title
    assert "| **together** | **22.5** |" in title
    assert "7 seconds and\n321 MB" in title
    assert "`bigmodel course try 01_neural_nets.ipynb`" in title


def test_the_same_course_gives_the_same_files(course, tmp_path):
    first = [path.read_bytes() for path in release(course, tmp_path / "a")]
    assert [path.read_bytes() for path in release(course, tmp_path / "b")] == first
    other = replace(course, secret="another secret of this course")
    assert [path.read_bytes() for path in release(other, tmp_path / "c")] == first


def test_what_was_changed_is_not_written_over(course, tmp_path):
    _, markdown = release(course, tmp_path / "out")
    release(course, tmp_path / "out")  # nothing has changed
    markdown.write_text("mine")
    with pytest.raises(CourseError, match=r"holds something else: .* --force"):
        release(course, tmp_path / "out")
    assert markdown.read_text() == "mine"
    release(course, tmp_path / "out", force=True)
    assert markdown.read_text() != "mine"


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b"\xff\xfe"),
        lambda path: path.mkdir(),
        pytest.param(
            lambda path: path.symlink_to(path.parent / "nowhere"),
            marks=pytest.mark.skipif(os.name == "nt", reason="a link takes a privilege there"),
        ),
    ],
    ids=["no text", "a folder", "a link to nowhere"],
)
def test_whatever_is_in_the_way_is_not_written_over(course, tmp_path, make):
    make(tmp_path / "01_neural_nets.md")
    with pytest.raises(CourseError, match="holds something else"):
        release(course, tmp_path)
    assert not (tmp_path / "01_neural_nets.ipynb").exists()


def test_nothing_is_handed_out_from_beside_the_secret(course):
    with pytest.raises(CourseError, match="holds the course's secret"):
        release(course, course.folder)


def test_a_folder_that_cannot_be_written_is_one_sentence(course, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CourseError, match="cannot be written"):
        release(course, tmp_path / "file" / "out")


# For nbgrader


@each_chapter
def test_the_source_for_nbgrader_earns_all_points(course):
    notebook = nbgrader.source_notebook(course)
    namespace = {}
    for cell in code_cells(notebook):
        about = cell.metadata.get("nbgrader", {})
        if about.get("grade"):
            call = ast.parse(cell.source).body[-1]
            exec(cell.source, namespace)
            assert eval(ast.unparse(call), namespace) == about["points"]
        else:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(cell.source, namespace)


def test_points_are_earned_case_by_case_and_prints_are_swallowed(capsys):
    def naive(z):
        warnings.warn("loud", stacklevel=1)
        print("loud")
        return np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # as a student's notebook may say
        assert 0 < points_earned("neural_nets.softmax", naive, of=5, seed=1) < 5
    assert points_earned("neural_nets.softmax", lambda z: z, of=5, seed=1) == 0
    assert capsys.readouterr() == ("", "")


def test_hidden_numbers_depend_on_the_secret(course):
    other = replace(course, secret="another secret of this course")
    one, two = (nbformat.writes(nbgrader.source_notebook(c)) for c in (course, other))
    assert re.findall(r"seed=\d+", one) != re.findall(r"seed=\d+", two)


def test_checks_in_the_release_still_tell_what_is_wrong(course):
    sources = [cell.source for cell in code_cells(assignment_notebook(course))]
    wrong = [s.replace("def softmax(z): ...", "def softmax(z): return z") for s in sources]
    with pytest.raises(CheckFailed):
        execute(wrong)


def test_a_package_that_is_not_there_is_told_before_anything_is_handed_out(course, tmp_path):
    course = replace(course, imports=("numpy", "scpy"))
    with pytest.raises(CourseError, match="'scpy', which is not installed here: install it"):
        release(course, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_release_finds_the_book_from_anywhere(course, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert chapter_path(course).is_file()
    assert isinstance(chapter_path(course), Path)
