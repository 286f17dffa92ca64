"""Slips in a line of Python, made by a program: what mutation testing calls mutants.

`mutants(source)` changes one thing at a time: an operator, a constant, an axis, an argument, a
term, a call, a line. Each mutant is told by the line that it changes, as it reads afterwards.
"""

import ast
import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

OPERATORS = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
}
COMPARISONS = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
NAMES = {
    "sum": ("mean", "max"),
    "mean": ("sum",),
    "max": ("min", "mean"),
    "min": ("max",),
    "maximum": ("minimum",),
    "minimum": ("maximum",),
    "var": ("std",),
    "zeros": ("ones",),
    "ones": ("zeros",),
    "zeros_like": ("ones_like",),
    "log2": ("log",),
    "exp": ("exp2",),
    "cos": ("sin",),
    "sin": ("cos",),
    "tanh": ("sin",),
    "argmax": ("argmin",),
    "argmin": ("argmax",),
    "repeat": ("tile",),
}


@dataclass(frozen=True)
class Mutant:
    """A program with one slip: its source, and the changed line as it now reads."""

    line: str
    source: str


def mutants(source: str) -> list[Mutant]:
    """Return every mutant of the functions in `source`, each different program once."""
    original = ast.parse(source)
    seen, found = {ast.unparse(original)}, []
    for number, node in enumerate(ast.walk(original)):
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.alias, ast.arg)):
            continue
        for replacement in replacements(node):
            tree = copy.deepcopy(original)
            line = _put(tree, number, replacement)
            text = ast.unparse(ast.fix_missing_locations(tree))
            if text not in seen:
                seen.add(text)
                found.append(Mutant(line, text))
    return found


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may stand in the place of one node."""
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            yield from _with(node, "op", (kind() for kind in OPERATORS.get(type(op), ())))
            yield from (left, right)
            if isinstance(op, (ast.Sub, ast.Div, ast.MatMult)):
                yield ast.BinOp(right, op, left)
        case ast.AugAssign(op=op):
            yield from _with(node, "op", (kind() for kind in OPERATORS.get(type(op), ())))
            yield ast.Pass()
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
            pass  # the last axis of a matrix is its axis 1 as well
        case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
            yield operand
        case ast.Compare(ops=[op]):
            yield from _with(node, "ops", ([kind()] for kind in COMPARISONS.get(type(op), ())))
        case ast.Constant(value=value):
            yield from map(ast.Constant, _other_values(value))
        case ast.Call():
            yield from _other_calls(node)
        case ast.Attribute(attr="T", value=value):
            yield value
        case ast.Attribute(attr=name):
            yield from _with(node, "attr", NAMES.get(name, ()))
        case ast.Slice():
            yield from _with(node, "lower", [None] * (node.lower is not None))
            yield from _with(node, "upper", [None] * (node.upper is not None))
        case ast.Tuple(elts=[one, other], ctx=ast.Load()):
            yield ast.Tuple([other, one], ast.Load())
        case ast.IfExp(body=body, orelse=orelse):
            yield from (body, orelse)
        case ast.If():
            yield from _with(node, "test", [ast.Constant(True), ast.Constant(False)])
        case ast.Expr(value=ast.Call()):
            yield ast.Pass()
        case ast.Continue() | ast.Break():
            yield ast.Pass()


def _other_values(value: object) -> Iterable:
    match value:
        case bool():
            return (not value,)
        case int():
            return (value + 1, value - 1)
        case float():
            return (2 * value, value / 2)
        case _:
            return ()


def _other_calls(call: ast.Call) -> Iterator[ast.AST]:
    """Leave out the call, or one keyword of it, or turn an argument that is an axis."""
    for i in range(len(call.keywords)):
        yield ast.Call(call.func, call.args, call.keywords[:i] + call.keywords[i + 1 :])
    if isinstance(call.func, ast.Attribute) and call.func.attr not in ("append", "add", "at"):
        is_of_module = isinstance(call.func.value, ast.Name) and call.func.value.id == "np"
        yield call.args[0] if is_of_module and call.args else call.func.value
    elif len(call.args) == 1:
        yield call.args[0]


def _with(node: ast.AST, field: str, values: Iterable) -> Iterator[ast.AST]:
    """Yield copies of the node, one for each value of the field."""
    for value in values:
        changed = copy.deepcopy(node)
        setattr(changed, field, value)
        yield changed


def _put(tree: ast.Module, number: int, replacement: ast.AST) -> str:
    """Put a node in the place of the tree's node of that number; return the line around it."""
    nodes = list(ast.walk(tree))
    parents = {child: parent for parent in nodes for child in ast.iter_child_nodes(parent)}
    old = nodes[number]
    parent = parents[old]
    for field, value in ast.iter_fields(parent):
        if value is old:
            setattr(parent, field, replacement)
        elif isinstance(value, list):
            setattr(parent, field, [replacement if item is old else item for item in value])
    statement = replacement if isinstance(old, ast.stmt) else old
    while not isinstance(statement, ast.stmt):
        statement = parents[statement]
    told = ast.unparse(ast.fix_missing_locations(statement)).partition("\n")[0]
    if isinstance(replacement, ast.Pass):
        told = f"(left out) {ast.unparse(old).partition(chr(10))[0]}"
    return told
