"""An exercise: the order of backpropagation."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake


def topological_order(result: str, parents: dict[str, list[str]]) -> list[str]:
    """Return `result` and all its ancestors, every parent before its children."""
    order: list[str] = []

    def visit(name: str) -> None:
        if name not in order:
            for parent in parents.get(name, []):
                visit(parent)
            order.append(name)

    visit(result)
    return order


def judge_order(case: Case, answer: list[str]) -> str | None:
    """Say what is wrong with an order, None when it is topological and complete."""
    result, parents = case.args
    answer = list(answer)
    expected = set(topological_order(result, parents))
    if twice := sorted({name for name in answer if answer.count(name) > 1}):
        return f"{twice[0]!r} stands in the list more than once; each variable is visited once."
    if missing := sorted(expected - set(answer)):
        return f"{missing[0]!r} is missing, though {result!r} was computed from it."
    if extra := sorted(set(answer) - expected):
        return f"{extra[0]!r} is in the list, but {result!r} was not computed from it."
    for child in answer:
        for parent in parents.get(child, []):
            if answer.index(parent) > answer.index(child):
                return f"{child!r} comes before {parent!r}, from which it was computed."
    return None


def _visit_repeatedly(result: str, parents: dict[str, list[str]]) -> list[str]:
    order: list[str] = []
    for parent in parents.get(result, []):
        order += _visit_repeatedly(parent, parents)
    return [*order, result]


def _without_leaves(result: str, parents: dict[str, list[str]]) -> list[str]:
    order: list[str] = []
    for parent in parents[result]:
        order += _without_leaves(parent, parents)
    return [*order, result]


def _breadth_first(result: str, parents: dict[str, list[str]]) -> list[str]:
    order = [result]
    for name in order:
        order += [parent for parent in parents.get(name, []) if parent not in order]
    return order[::-1]


def _on_arrival_and_reversed(result: str, parents: dict[str, list[str]]) -> list[str]:
    order: list[str] = []

    def visit(name: str) -> None:
        if name not in order:
            order.append(name)
            for parent in parents.get(name, []):
                visit(parent)

    visit(result)
    return order[::-1]


TOPOLOGICAL_ORDER = Exercise(
    name="neural_nets.topological_order",
    function="topological_order_by_name",
    title="The order of backpropagation",
    points=3,
    stars=3,
    reference=topological_order,
    cases=lambda rng: [
        Case(("c", {"c": ["a", "b"]}), note="one operation"),
        Case(
            ("d", {"b": ["a"], "c": ["a"], "d": ["b", "c"]}),
            note="a diamond: a is used twice",
        ),
        Case(
            ("e", {"e": ["a", "d"], "d": ["c"], "c": ["b"], "b": ["a"]}),
            note="a long way round and a short cut",
        ),
        Case(("x", {"y": ["x"]}), note="a leaf, with a child that does not matter"),
        Case(("loss", _random_graph(rng)), note="a random graph"),
    ],
    mistakes=(
        Mistake(
            _visit_repeatedly,
            "You visit a variable once for every path to it. Remember which ones are done; "
            "otherwise deep graphs take exponential time.",
        ),
        Mistake(
            _breadth_first,
            "You took breadth-first order, by distance from the result. With a short cut a "
            "variable can be near and still have to wait for a longer way round.",
        ),
        Mistake(
            _on_arrival_and_reversed,
            "You note a variable when you arrive at it, and turn the list round at the end. A "
            "variable that was reached by a short way can still be needed at the end of a longer "
            "one: note it when all its parents are noted.",
        ),
        Mistake(
            _without_leaves,
            "A leaf has no entry in `parents`, so parents[name] raises KeyError for it: "
            "parents.get(name, []) is the empty list there.",
        ),
        Mistake(
            lambda result, parents: topological_order(result, parents)[::-1],
            "Your list runs from the result to the leaves; parents must come first here.",
        ),
    ),
    hints=(
        "A variable may be appended only when all its parents have been.",
        "Write a function visit(name) that first visits the parents, then appends the name, and "
        "does nothing for a name it has seen.",
        "def visit(name): if name in seen: return; seen.add(name); for each parent: visit(parent); "
        "order.append(name)",
    ),
    judge=judge_order,
)


def _random_graph(rng: np.random.Generator) -> dict[str, list[str]]:
    """Return the parents of eleven variables, each computed from one to three earlier ones."""
    names = [f"v{i}" for i in range(10)] + ["loss"]
    return {
        name: [names[j] for j in rng.choice(i, size=min(i, int(rng.integers(1, 4))), replace=False)]
        for i, name in enumerate(names)
        if i > 0
    }
