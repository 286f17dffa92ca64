"""Every chapter's solutions, stored with their outputs."""

ADVICE = "run `make solutions`"


def test_the_stored_outputs_are_those_that_a_run_gives(stored, nbval):
    assert set(nbval(stored).values()) <= {"passed"}


def test_the_stored_notebook_is_in_step_with_its_source(stored, solutions):
    ours, theirs = (
        [(cell.cell_type, cell.source, cell.metadata.get("tags", [])) for cell in notebook.cells]
        for notebook in (stored, solutions)
    )
    assert ours == theirs, ADVICE


def test_every_cell_was_run_and_none_raised(stored):
    for cell in stored.cells:
        if cell.cell_type == "code" and cell.source.strip():
            assert cell.execution_count is not None, f"nbval compares nothing: {ADVICE}"
            assert not [output for output in cell.outputs if output.output_type == "error"]
