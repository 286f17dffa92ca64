"""The program that makes the slips: each kind of slip, once, told by its line."""

import pytest
from mutation import mutants


def lines(source: str) -> list[str]:
    return sorted(mutant.line for mutant in mutants(source))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("y = a + b", ["y = a", "y = a - b", "y = b"]),
        ("y = a @ b", ["y = a", "y = b", "y = b @ a"]),
        ("y = a < b", ["y = a <= b", "y = a > b"]),
        ("y = -x", ["y = x"]),
        ("y = x[1:]", ["y = x[0:]", "y = x[2:]", "y = x[:]"]),
        ("y = 0.5", ["y = 0.25", "y = 1.0"]),
        ("y = True", ["y = False"]),
        ("y = x.T", ["y = x"]),
        ("return_ = (a, b)", ["return_ = (b, a)"]),
        ("y = np.sqrt(x)", ["y = x"]),
        (
            "y = x.sum(axis=-1, keepdims=True)",
            [
                "y = x",
                "y = x.max(axis=-1, keepdims=True)",
                "y = x.mean(axis=-1, keepdims=True)",
                "y = x.sum(axis=-0, keepdims=True)",
                "y = x.sum(axis=-1)",
                "y = x.sum(axis=-1, keepdims=False)",
                "y = x.sum(axis=-2, keepdims=True)",
                "y = x.sum(keepdims=True)",
            ],
        ),
        ("y += x", ["(left out) y += x", "y -= x"]),
        ("f(x)", ["(left out) f(x)", "x"]),
        ("if a:\n    y = b", ["if False:", "if True:"]),
        ("import math", []),
    ],
)
def test_each_kind_of_slip_is_made(source, expected):
    assert lines(source) == sorted(expected)


def test_a_mutant_is_a_program_that_differs_in_that_line():
    source = "def f(x):\n    y = x + 1\n    return y * 2"
    for mutant in mutants(source):
        assert mutant.line in mutant.source
        compile(mutant.source, "mutant", "exec")
    assert len({mutant.source for mutant in mutants(source)}) == len(mutants(source))
