"""Every chapter with the answers of its solutions in place of the stubs."""

from bigmodel_edu.labs.notebooks import fill


def test_a_filled_chapter_runs_and_every_exercise_passes(untouched, solutions, exercises, nbval):
    assert nbval(fill(untouched, solutions)) == dict.fromkeys(exercises, "passed")
