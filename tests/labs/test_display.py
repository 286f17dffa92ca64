"""What a notebook shows: each card once, where it was asked for."""

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from bigmodel_edu.labs import notebooks

SETUP = """
from bigmodel_edu.labs import Case, Exercise, check, hint
ex = Exercise("toy.double", "Double it", 2, lambda x: 2 * x, lambda rng: [Case((3.0,))],
              hints=("Add it to itself.",))
double = lambda x: 2 * x
"""
CELLS = (
    SETUP,
    "check(ex, double)",
    "first = check(ex, double); second = check(ex, ...)",
    "first",
    "display(check(ex, double))",
    "check(ex, lambda x: x)",
    "hint(ex)",
    "print(check(ex, double))",
)


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The outputs of each cell but the first."""
    folder = tmp_path_factory.mktemp("display")
    notebook = new_notebook(cells=[new_code_cell(source) for source in CELLS])
    notebooks._execute(notebook, folder, 60)
    return [cell.outputs for cell in notebook.cells[1:]]


RIGHT = "✓ toy.double: right, 2 points"


def texts(outputs):
    return [output.data["text/plain"] for output in outputs if "data" in output]


def test_a_check_at_the_end_of_a_cell_is_shown_once(shown):
    assert texts(shown[0]) == [RIGHT]
    assert "Double it" in shown[0][0].data["text/html"]


def test_every_check_within_a_cell_is_shown(shown):
    passed, blank = texts(shown[1])
    assert passed == RIGHT
    assert blank.startswith("○ toy.double")


def test_a_result_can_be_shown_again_later(shown):
    assert texts(shown[2]) == [RIGHT]


def test_display_does_not_repeat_it(shown):
    assert texts(shown[3]) == [RIGHT]


def test_a_wrong_answer_shows_its_card_and_no_traceback(shown):
    card, error = shown[4]
    assert card.data["text/plain"].startswith("✗ toy.double: Your answer has the wrong value.")
    assert error.ename == "CheckFailed"
    assert error.traceback == ["CheckFailed: Your answer has the wrong value."]


def test_a_hint_is_shown_once(shown):
    (text,) = texts(shown[5])
    assert text.startswith("Hint 1 of 1 for toy.double: Add it to itself.")


def test_print_shows_the_text_beside_the_card(shown):
    assert texts(shown[6]) == [RIGHT]
    assert shown[6][1].text == RIGHT + "\n"
