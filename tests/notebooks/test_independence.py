"""No teaching cell depends on an exercise, so that the exercises can be run without the rest."""

import ast
import symtable
from collections.abc import Iterator

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from bigmodel_edu.labs.notebooks import exercises_in, fill, parsed_cell

Import = tuple[str | None, str, str | None]


def dependences(chapter, filled) -> list[str]:
    """Names that a stub or an answer binds and that a teaching cell reads, each with the cell.

    An import that the chapter itself has is no matter: the name means the same with and without.
    """
    code = [
        (stub.source, answer.source)
        for stub, answer in zip(chapter.cells, filled.cells, strict=True)
        if stub.cell_type == "code"
    ]
    cells = list(zip(code, map(is_of_an_exercise, code_cells(chapter)), strict=True))
    teaching = [stub for (stub, _), is_exercise in cells if not is_exercise]
    imported = {found for source in teaching for found in imports(source)}
    bound = set()
    for pair, is_exercise in cells:
        if is_exercise:
            for source in pair:
                bound |= names_bound(source) - {asname or name for _, name, asname in imported}
    return [
        f"{name} is read by: {source.partition(chr(10))[0]}"
        for source in teaching
        for name in sorted(names_read(source) & bound)
    ]


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def is_of_an_exercise(cell) -> bool:
    stub = any(tag.startswith("stub:") for tag in cell.metadata.get("tags", []))
    return stub or bool(exercises_in(new_notebook(cells=[cell])))


def imports(source: str) -> Iterator[Import]:
    """(module, name, name as) of every import in a cell, wherever it stands."""
    for node in ast.walk(parsed_cell(source)):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name, alias.asname) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((None, alias.name, alias.asname) for alias in node.names)


def names_bound(source: str) -> set[str]:
    """The names of the notebook that a cell gives a value, imports among them."""
    table = symtable.symtable(ast.unparse(parsed_cell(source)), "cell", "exec")
    return {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}


def names_read(source: str) -> set[str]:
    """The names of the notebook that a cell reads, in its functions too."""

    def read(table: symtable.SymbolTable) -> set[str]:
        is_module = table.get_type() == "module"
        own = {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_referenced() and (is_module or symbol.is_global())
        }
        return own.union(*map(read, table.get_children()))

    return read(symtable.symtable(ast.unparse(parsed_cell(source)), "cell", "exec"))


def test_no_teaching_cell_reads_what_an_exercise_defines(untouched, solutions):
    assert dependences(untouched, fill(untouched, solutions)) == []


@pytest.mark.parametrize(
    ("teaching", "stub", "answer", "found"),
    [
        ("y = f(2)", "def f(x): ...", "def f(x): return x", ["f is read by: y = f(2)"]),
        ("def g(): return f(2)", "def f(x): ...", "def f(x): return x", ["f"]),
        ("y = helper", "def f(x): ...", "helper = 1\ndef f(x): return helper", ["helper"]),
        ("y = np.ones(2)", "def f(x): ...", "import torch as np\ndef f(x): return x", ["np"]),
        ("import math as m\nm.e", "def f(x): ...", "import math as m\ndef f(x): return m.e", []),
        ("def g(f): return f(2)", "def f(x): ...", "def f(x): return x", []),
        ("%matplotlib inline\ny = 1", "def f(x): ...", "def f(x): return x", []),
    ],
)
def test_a_dependence_is_found(teaching, stub, answer, found):
    def notebook(source):
        tagged = new_code_cell(source, metadata={"tags": ["stub:toy.f"]})
        return new_notebook(cells=[new_code_cell(teaching), tagged])

    said = dependences(notebook(stub), notebook(answer))
    assert len(said) == len(found)
    assert all(theirs.startswith(mine) for mine, theirs in zip(found, said, strict=True))
