"""Every chapter's exercises, with the answers of the solutions in place of the stubs.

The teaching cells are left out: test_independence.py proves that they and the exercises do not
depend on each other, and test_untouched.py runs them.
"""

from bigmodel_edu.labs.notebooks import exercise_notebook


def test_every_answer_passes_its_check(untouched, solutions, exercises, nbval):
    notebook = exercise_notebook(untouched, solutions)
    assert nbval(notebook) == dict.fromkeys(exercises, "passed")
