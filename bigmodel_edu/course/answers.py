"""What is taken from a student's notebook: one function, and the definitions that it needs.

Only imports, definitions and constants count; training cells, plots and magics do not run. This
file is run in the student's process, not in the grader: nothing of a notebook is parsed where the
references are. It imports Python's own library only.
"""

import ast
import json
import re
import symtable
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

MAX_CELLS = 10_000
_RUNS_PYTHON = re.compile(r"%%(time|timeit|capture|prun|mem\w*)\b[^\n]*\n")
_MAGIC = re.compile(r"^(\s*)(?:[%!?].*|[\w, ]+=\s*[%!].*|\S.*\?\s*)$")
_CELL_OPENS = re.compile(r"^(`{3,}|~{3,})\s*\{code-cell\}.*$")
_LOOKS_UP_NAMES = {"globals", "locals", "vars", "eval", "exec"}
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class NoNotebook(ValueError):
    """What was handed in cannot be read as a notebook."""


@dataclass(frozen=True)
class Answer:
    """The code that an exercise's function needs, in the order of the notebook.

    found: whether a function (or anything else) of that name is defined at all.
    problem: where it is not, what is wrong with the Python of the cell that tries to.
    left: the first line of a statement that is not taken and speaks of a value that is.
    """

    source: str
    found: bool
    problem: str = ""
    left: str = ""


def answer(notebook: bytes, markdown: bool, name: str) -> Answer:
    """Take from a notebook, .ipynb or MyST Markdown, what defines `name`.

    The last definition counts, as when the notebook runs from top to bottom, but one that is only
    a stub gives way to any other. Cells that are no Python are passed over.
    """
    cells = code_cells(notebook, markdown)
    statements = [s for cell in cells for s in _statements(cell)]
    taken = list(_without_stubs(s for s in statements if s.is_taken))
    wanted = _needed(taken, name)
    return Answer(
        "\n\n".join(s.text for s in taken if s.names & wanted or s.takes_all),
        is_found := any(name in s.names for s in taken),
        "" if is_found else _why_not_read(cells, name),
        _left(statements, wanted),
    )


def _left(statements: Iterable["_Statement"], wanted: frozenset[str]) -> str:
    """The first line of a statement that may change a value which is wanted, and is not taken."""
    values = {name for s in statements if s.is_value for name in s.names & wanted}
    left = (s.text for s in statements if not s.is_taken and s.names & values)
    return next(left, "").partition("\n")[0].strip()


def _why_not_read(cells: Iterable[str], name: str) -> str:
    """What is wrong with the Python of a cell that seems to define `name`, "" if there is none."""
    defines = re.compile(rf"^\s*(async\s+)?(def|class)\s+{name}\b|^\s*{name}\s*=", re.MULTILINE)
    for cell in cells:
        if defines.search(cell) and not _parsed(cell)[0].strip():
            try:
                ast.parse(cell)
            except SyntaxError as error:
                return f"{error.msg} (line {error.lineno} of the cell)"
            except (ValueError, RecursionError, MemoryError) as error:
                return str(error)
    return ""


def code_cells(notebook: bytes, markdown: bool) -> list[str]:
    """The sources of the code cells; raises NoNotebook for what is none."""
    try:
        text = notebook.decode("utf-8-sig")
        cells = _markdown_cells(text) if markdown else _ipynb_cells(json.loads(text))
        return cells[:MAX_CELLS]
    except NoNotebook:
        raise
    except (ValueError, RecursionError, TypeError, AttributeError, LookupError) as error:
        raise NoNotebook(f"it is damaged ({type(error).__name__})") from None


def _ipynb_cells(notebook: dict) -> list[str]:
    if not isinstance(notebook, dict):
        raise NoNotebook("it is not a notebook but some other JSON")
    cells = notebook.get("cells")
    if cells is None:  # format 3, written until 2014
        cells = [cell for sheet in notebook.get("worksheets", ()) for cell in sheet["cells"]]
    if not isinstance(cells, list):
        raise NoNotebook("it has no list of cells")
    sources = [
        cell.get("source", cell.get("input", ""))
        for cell in cells
        if isinstance(cell, dict) and cell.get("cell_type") == "code"
    ]
    return ["".join(s) if isinstance(s, list) else str(s) for s in sources]


def _markdown_cells(text: str) -> list[str]:
    cells: list[str] = []
    fence, lines = "", []
    for line in text.splitlines():
        if not fence:
            if opening := _CELL_OPENS.match(line):
                fence, lines = opening.group(1), []
        elif line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            cells.append("\n".join(_without_options(lines)))
            fence = ""
        else:
            lines.append(line)
    return cells


def _without_options(lines: list[str]) -> Iterator[str]:
    """Leave out what a MyST cell says about itself: lines like `:tags: [...]`, or a --- block."""
    body = iter(lines)
    for line in body:
        if line.strip() == "---":
            for inner in body:
                if inner.strip() == "---":
                    break
        elif not line.startswith(":"):
            yield line
            break
    yield from body


# Statements


@dataclass(frozen=True)
class _Statement:
    """A statement: its text, and what it binds; of one that is not taken, what it may change.

    takes_all: `from x import *`, which may define anything.
    is_stub: a function whose body does nothing.
    is_value: an assignment, but not of a lambda.
    """

    text: str
    names: frozenset[str]
    is_taken: bool = True
    takes_all: bool = False
    is_stub: bool = False
    is_value: bool = False

    @cached_property
    def needs(self) -> frozenset[str]:
        """The names that it looks up at the notebook's top level, now or when called.

        None for what only the compiler finds wrong: a `return` in a class, say.
        """
        try:
            return _referred(self.text)
        except (SyntaxError, ValueError, RecursionError):
            return frozenset()


def _statements(cell: str) -> Iterator[_Statement]:
    source, tree = _parsed(cell)
    if tree is None:
        return
    lines = source.splitlines(keepends=True)
    for node in tree.body:
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
        text, is_taken = _text(lines, first, node), _is_taken(node)
        yield _Statement(
            text,
            names=frozenset((_bound if is_taken else _changed)(node)),
            is_taken=is_taken,
            takes_all=isinstance(node, ast.ImportFrom) and node.names[0].name == "*",
            is_stub=isinstance(node, _DEFINITIONS) and _is_stub(node),
            is_value=is_taken and _is_value(node),
        )


def _is_value(node: ast.stmt) -> bool:
    is_assignment = isinstance(node, (ast.Assign, ast.AnnAssign))
    return is_assignment and not isinstance(node.value, ast.Lambda)


def _changed(node: ast.stmt) -> Iterator[str]:
    """The names that a statement may change, as `x = 1`, `x[0] = 1` and `x.append(1)` do."""
    for child in ast.walk(node):
        is_stored = not isinstance(getattr(child, "ctx", ast.Load()), ast.Load)
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute):
            child, is_stored = child.func, True
        if isinstance(child, (ast.Subscript, ast.Attribute)):
            child = child.value
        if is_stored and isinstance(child, ast.Name):
            yield child.id


def _parsed(cell: str) -> tuple[str, ast.Module | None]:
    """The cell as Python: with its magics blanked out if it is none with them."""
    cell = _RUNS_PYTHON.sub("", cell, count=1) if cell.lstrip().startswith("%%") else cell
    without = "\n".join(
        f"{magic[1]}pass" if (magic := _MAGIC.match(line)) else line for line in cell.splitlines()
    )
    for source in (cell, without):
        try:
            return source, ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return "", None


def _text(lines: list[str], first: int, node: ast.stmt) -> str:
    """The source of a statement alone, though others may stand on its lines."""
    encoded = [line.encode() for line in lines[first - 1 : node.end_lineno]]
    encoded[-1] = encoded[-1][: node.end_col_offset]
    start = node.col_offset if first == node.lineno else 0
    encoded[0] = encoded[0][start:]
    return b"".join(encoded).decode()


def _is_taken(node: ast.stmt) -> bool:
    """Whether a statement is an import, a definition or a constant, or a choice between such."""
    if isinstance(node, (ast.Import, ast.ImportFrom, *_DEFINITIONS)):
        return True
    if isinstance(node, ast.Assign):
        return all(map(_is_name, node.targets))
    if isinstance(node, ast.AnnAssign):
        return _is_name(node.target) and node.value is not None
    if isinstance(node, ast.If):
        return all(map(_is_taken, [*node.body, *node.orelse]))
    if isinstance(node, ast.Try):
        handlers = [statement for handler in node.handlers for statement in handler.body]
        parts = [*node.body, *handlers, *node.orelse, *node.finalbody]
        return all(_is_taken(s) or isinstance(s, ast.Pass) for s in parts)
    return False


def _is_name(target: ast.expr) -> bool:
    if isinstance(target, (ast.Tuple, ast.List)):
        return all(map(_is_name, target.elts))
    return isinstance(target, ast.Name)


def _is_stub(node: ast.stmt) -> bool:
    """Whether a function does nothing: a docstring, `...`, `pass`, `raise NotImplementedError`."""
    if isinstance(node, ast.ClassDef):
        return False
    return all(
        isinstance(s, ast.Pass)
        or (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
        or (isinstance(s, ast.Raise) and "NotImplementedError" in ast.dump(s))
        for s in node.body
    )


def _bound(node: ast.stmt) -> Iterator[str]:
    """The names that a statement binds at the notebook's top level."""
    if isinstance(node, _DEFINITIONS):
        yield node.name
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
    elif isinstance(node, (ast.If, ast.Try)):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                yield from _bound(child)
            elif isinstance(child, ast.ExceptHandler):
                for statement in child.body:
                    yield from _bound(statement)
    else:
        for child in ast.walk(node):
            if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
                yield child.id


def _referred(text: str) -> frozenset[str]:
    """The names that a statement looks up at the notebook's top level, now or when called."""
    names = set()
    tables = [symtable.symtable(text, "answer", "exec")]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        at_top = table.get_type() == "module"
        names |= {s.get_name() for s in table.get_symbols() if at_top or s.is_global()}
    return frozenset(names)


def _without_stubs(statements: Iterable[_Statement]) -> Iterator[_Statement]:
    """Leave out stubs of functions that are defined elsewhere, as in a doubled cell."""
    statements = list(statements)
    written = {name for s in statements if not s.is_stub for name in s.names}
    return (s for s in statements if not (s.is_stub and s.names <= written))


def _needed(statements: list[_Statement], name: str) -> frozenset[str]:
    """`name` and all that its definition refers to, directly or through others."""
    bind: dict[str, list[_Statement]] = {}
    for statement in statements:
        for bound in statement.names:
            bind.setdefault(bound, []).append(statement)
    everything, open_names = {name}, [name]
    while open_names:
        needs = {need for statement in bind.get(open_names.pop(), ()) for need in statement.needs}
        if needs & _LOOKS_UP_NAMES:
            return frozenset(bind)
        new = (needs & bind.keys()) - everything
        everything |= new
        open_names += new
    return frozenset(everything)
