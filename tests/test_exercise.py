import subprocess
import sys

import numpy as np
import pytest

from bigmodel_edu.labs import Case, Exercise, Mistake


def make(**changes):
    fields = {"name": "lstm.gate", "title": "A gate", "points": 1, "reference": abs}
    return Exercise(**(fields | {"cases": lambda rng: []} | changes))


def test_lists_become_tuples():
    exercise = make(mistakes=[Mistake(abs, "No.")], hints=["Think."])
    assert exercise.mistakes == (Mistake(abs, "No."),)
    assert exercise.hints == ("Think.",)


def test_the_chapter_and_the_worth_in_words():
    assert make().chapter == "lstm"
    assert make().worth == "1 point"
    assert make(points=3).worth == "3 points"


@pytest.mark.parametrize("changes", [{"stars": 0}, {"stars": 4}, {"points": 0}])
def test_stars_and_points_out_of_range_are_refused(changes):
    with pytest.raises(ValueError, match=f"lstm.gate: {next(iter(changes))} must be"):
        make(**changes)


def test_a_course_grades_case_by_case():
    with pytest.raises(ValueError, match=r"lstm\.gate: a course grades case by case"):
        make(judge_all=lambda cases, answers: None)
    make(judge_all=lambda cases, answers: None, gradable=False)


def test_a_case_in_another_batch_has_the_same_rows():
    x, weight, y = np.arange(10).reshape(5, 2), np.ones((5, 2)), np.arange(5)
    case = Case((x, weight, y), {"eps": 0.1}, note="a note of its own")
    fewer, more = case.in_batch_of(3, 0, 2), case.in_batch_of(7, 0, 2)
    assert fewer.rows_of is more.rows_of is case
    assert fewer.kwargs == case.kwargs
    assert fewer.args[1] is weight
    np.testing.assert_array_equal(fewer.args[0], x[:3])
    np.testing.assert_array_equal(more.args[0], x[[0, 1, 2, 3, 4, 0, 1]])
    np.testing.assert_array_equal(more.args[2], y[[0, 1, 2, 3, 4, 0, 1]])
    assert fewer.note == "the first 3 rows of another case"
    assert more.note == "another case's rows again"


def test_importing_labs_loads_numpy_and_nothing_heavy():
    heavy = "{'torch', 'matplotlib', 'IPython', 'rich', 'typer', 'jupytext', 'nbclient', 'scipy'}"
    code = f"import sys, bigmodel_edu.labs; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
