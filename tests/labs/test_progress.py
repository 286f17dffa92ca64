import dataclasses
import subprocess
import sys

import pytest

from bigmodel_edu.errors import UnknownName
from bigmodel_edu.labs import CheckFailed, check, hint, progress, store
from bigmodel_edu.labs.progress import board


def test_hints_come_one_by_one_and_the_last_points_to_the_answer(listed, capsys):
    first, second, third, again = (hint(listed.name) for _ in range(4))
    assert (first.number, first.of, first.text) == (1, 3, "Look at the largest logit.")
    assert (second.text, third.text) == ("Subtract it.", "keepdims=True")
    assert again == third
    assert not second.answer_in
    assert third.answer_in == "solutions/01_neural_nets.md"
    printed = capsys.readouterr().out
    assert printed.startswith(f"Hint 1 of 3 for {listed.name}: Look at the largest logit.\n")
    assert "the answer is explained in `solutions/01_neural_nets.md`" in printed
    assert store.load()[listed.name].hints == 3


def test_a_hint_survives_a_kernel_restart(listed, state):
    hint(listed)
    code = (
        "from bigmodel_edu.labs import Exercise, hint\n"
        f"e = Exercise('{listed.name}', 't', 1, abs, list, hints={listed.hints})\n"
        "print(hint(e).number)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n2\n")


def test_a_hint_for_an_unknown_exercise(listed):
    with pytest.raises(UnknownName, match="Did you mean"):
        hint("neural_nets.sofmax")


def test_an_exercise_without_hints(exercise):
    shown = hint(dataclasses.replace(exercise, hints=()))
    assert (shown.number, shown.of) == (0, 0)
    assert "no hints" in str(shown)


def test_the_board_of_a_new_reader(listed):
    assert str(board()) == (
        "1 Neural nets: 0 of 2 points\n  ○ Stable softmax ★☆☆  0/2\nTogether: 0 of 2 points"
    )


def test_the_board_shows_what_was_done(listed):
    with pytest.raises(CheckFailed):
        check(listed, lambda z: z)
    hint(listed)
    assert "  ✗ Stable softmax ★☆☆  0/2  (1 attempt, 1 hint)" in str(board())
    check(listed, listed.reference)
    assert "  ✓ Stable softmax ★☆☆  2/2  (2 attempts, 1 hint)" in str(board())
    with pytest.raises(CheckFailed):
        check(listed, lambda z: z)
    assert "  ✓ Stable softmax ★☆☆  2/2  (3 attempts, 1 hint, latest was wrong)" in str(board())


def test_progress_shows_the_board_in_a_terminal(listed, capsys):
    shown = progress()
    printed = capsys.readouterr().out
    assert "1 Neural nets · 0 of 2 points" in printed
    assert "Stable softmax" in printed
    assert shown == board()


def test_the_board_in_a_notebook(listed):
    check(listed, listed.reference)
    page = board()._repr_html_()
    assert "Stable softmax" in page
    assert "width:100%" in page
    assert "2/2" in page


def test_the_board_for_a_program(listed):
    assert board().as_json() == [
        {
            "exercise": listed.name,
            "title": "Stable softmax",
            "stars": 1,
            "passed": False,
            "last": "",
            "attempts": 0,
            "hints": 0,
            "points": 0,
            "total": 2,
        }
    ]
