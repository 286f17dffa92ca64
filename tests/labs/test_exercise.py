import subprocess
import sys

import pytest

from bigmodel_edu.labs import Exercise, Mistake


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


def test_importing_labs_loads_numpy_and_nothing_heavy():
    heavy = "{'torch', 'matplotlib', 'IPython', 'rich', 'typer', 'jupytext', 'nbclient', 'scipy'}"
    code = f"import sys, bigmodel_edu.labs; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
