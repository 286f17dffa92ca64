"""The table of times at the end of `make test`: each test in its row and column."""

import pytest
from times import Times, kind_of, row_of

NODES = [
    ("tests/notebooks/test_untouched.py::test_it[01_neural_nets]", "neural_nets", "notebooks"),
    ("tests/notebooks/test_nbval.py::test_what_runs", "the house", "notebooks"),
    ("tests/lstm/test_kernels.py::test_twin[lstm-x]", "lstm", "kernels"),
    ("tests/cuda/test_compiled.py::test_a", "the house", "kernels"),
    ("tests/exercises/test_sweep.py::test_a[lstm.gru_step-1]", "lstm", "exercises"),
    ("tests/test_parity.py::test_judge[transformer.rope-torch]", "transformer", "the rest"),
    ("tests/course/test_whole_class.py::test_lstm_or_not[lstmish]", "course", "the rest"),
    ("tests/data/test_text.py::test_a", "data", "the rest"),
    ("tests/test_jupyter.py::test_b", "the house", "the rest"),
]


@pytest.mark.parametrize(("nodeid", "row", "kind"), NODES)
def test_each_test_has_its_place(nodeid, row, kind):
    assert (row_of(nodeid), kind_of(nodeid)) == (row, kind)


def test_the_table_adds_up():
    times = Times()
    for seconds, (_, row, kind) in enumerate(NODES, start=1):
        times.seconds[row, kind] += seconds
    heading, *rows, last = times.table()
    assert heading.split() == ["notebooks", "kernels", "exercises", "the", "rest", "together"]
    assert [row.split()[0] for row in rows][:3] == ["neural_nets", "lstm", "transformer"]
    assert rows[1].split() == ["lstm", "0", "3", "5", "0", "8"]
    assert last.split() == ["together", "3", "7", "5", "30", "45"]
