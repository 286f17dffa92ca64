"""The tests of notebooks can fail: nbval is run as it is meant to be."""

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

CHECKS = """
from bigmodel_edu.labs import Case, Exercise, check
toy = Exercise("toy.double", "Double", 1, lambda x: 2 * x, lambda rng: [Case((rng.random(),))])
"""


def cell(source, *outputs, tags=()):
    return new_code_cell(
        source,
        outputs=list(outputs),
        execution_count=1 if outputs else None,
        metadata={"tags": list(tags)},
    )


def stream(name, text):
    return new_output("stream", name=name, text=text)


def display(kind, text):
    return new_output("display_data", {kind: text})


def test_what_runs_passes_and_its_checks_are_known(nbval):
    show = 'from IPython.display import display; display({%r: "now"}, raw=True)'
    notebook = new_notebook(
        cells=[
            cell("print('as stored')", stream("stdout", "as stored\n")),
            cell("import sys; print('now', file=sys.stderr)", stream("stderr", "then")),
            cell(show % "text/html", display("text/html", "then")),
            cell(show % "image/svg+xml", display("image/svg+xml", "then")),
            cell("print('anything')", stream("stdout", "else\n"), tags=["nbval-ignore-output"]),
            cell("1 / 0", tags=["nbval-skip"]),
            cell("1 / 0", tags=["raises-exception"]),
            cell(CHECKS),
            cell("check(toy, lambda x: ...);"),
            cell("check(toy, lambda x: x + x);"),
        ]
    )
    assert nbval(notebook) == {"toy.double": "passed"}


def test_what_goes_wrong_is_told(nbval):
    """An error, a wrong answer and another output; the cells between them pass."""
    notebook = new_notebook(
        cells=[
            cell("1 / 0"),
            cell(CHECKS),
            cell("check(toy, lambda x: x)"),
            cell("print('now')", stream("stdout", "then\n")),
            cell("print('as stored')", stream("stdout", "as stored\n")),
        ]
    )
    with pytest.raises(pytest.fail.Exception) as failed:
        nbval(notebook)
    told = str(failed.value)
    for says in ("ZeroDivisionError", "CheckFailed", "assert reference_output == test_output"):
        assert says in told
    assert "3 failed, 2 passed" in told
