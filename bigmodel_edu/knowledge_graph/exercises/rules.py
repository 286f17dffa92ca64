"""An exercise: the confidence of a rule."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from .. import reference as ref
from .leaks import _facts


def rule_confidence(facts: Array, body: int, head: int) -> tuple[int, float]:
    """Return support and confidence of body(x, y) ⇒ head(x, y), (0, 0.0) for an empty body."""
    relations = int(max(facts[:, 1].max(), body, head)) + 1
    index = ref.FactIndex(facts, int(facts[:, [0, 2]].max()) + 1, relations)
    rules = ref.mine_rules(index, min_support=1, min_confidence=0.0, max_length=1)
    found = (rule for rule in rules if (rule.body, rule.head) == ((body,), head))
    return next(((rule.support, rule.confidence) for rule in found), (0, 0.0))


def _pairs_of(facts: Array, relation: int) -> list[tuple[int, int]]:
    return [(h, t) for h, r, t in facts.tolist() if r == relation]


def _rule_variant(
    pairs: Callable[[Array, int], Iterable] = lambda facts, r: set(_pairs_of(facts, r)),
    held: Callable[[Any, Any, Array], int] = lambda body, head, facts: len(body),
    empty: float = 0.0,
):
    """Return support and confidence with something changed: what is counted, divided by what."""

    def measure(facts, body, head):
        of_body, of_head = pairs(facts, body), pairs(facts, head)
        support = sum(pair in of_head for pair in of_body)
        n = held(of_body, of_head, facts)
        return support, support / n if n else empty

    return measure


def _who_knows_a_head(body: set, head: set, facts: Array) -> int:
    known = {x for x, _ in head}
    return sum(x in known for x, _ in body)


_RULE_MISTAKES = (
    Mistake(
        _rule_variant(_pairs_of),
        "You counted facts that stand there twice as two. A pair (x, y) counts once: make a set of "
        "the pairs, or use np.unique.",
    ),
    Mistake(
        _rule_variant(held=lambda body, head, facts: len(head)),
        "You divided by the pairs of the head; that is how much of the head the rule explains. "
        "Its confidence is the share of the body's pairs for which it is right.",
    ),
    Mistake(
        _rule_variant(held=lambda body, head, facts: len(np.unique(facts, axis=0))),
        "You divided by the number of all facts; the rule only speaks about pairs of its body.",
    ),
    Mistake(
        _rule_variant(held=_who_knows_a_head),
        "This is the confidence under partial completeness: it leaves out the x of which no head "
        "is known at all. Here all pairs of the body count.",
    ),
    Mistake(
        _rule_variant(lambda facts, r: {frozenset(pair) for pair in _pairs_of(facts, r)}),
        "You took no notice of the direction: body(x, y) and head(y, x) are not this rule, but the "
        "one with the inverse relation.",
    ),
    Mistake(
        _rule_variant(lambda facts, r: {x for x, _ in _pairs_of(facts, r)}),
        "You compared the x only. Body and head must hold for the same pair (x, y).",
    ),
    Mistake(
        _rule_variant(empty=np.nan),
        "Without a pair for the body there is 0 / 0 in your code; the confidence is 0.0 then.",
    ),
)


def _rule_case(rng: np.random.Generator, more: int) -> Case:
    """Draw a case with all that may go wrong, and so many pairs more of the body or the head."""
    body, head, other = (int(r) for r in rng.permutation(5)[:3])
    facts = _facts(body, (0, 1), (0, 2), (3, 4), (5, 6), (7, 8))
    facts += _facts(head, (0, 1), (0, 2))  # these two hold
    # 3 and 4 turned round, 5 with another, and of 7 no head at all
    facts += _facts(head, (4, 3), (5, 9), (10, 11), (12, 13), (14, 11))
    facts += _facts(other, (3, 4), (5, 6), (12, 13))
    facts += _facts(body, (0, 1), (3, 4)) + _facts(head, (0, 1), (10, 11))  # once more
    fresh = [(15 + 2 * i, 16 + 2 * i) for i in range(more)]
    facts += _facts(body, *fresh[:1]) + _facts(head, *fresh[1:])
    place = rng.permutation(15 + 2 * more)
    h, r, t = rng.permutation(facts).T
    facts = np.stack([place[h], r, place[t]], axis=1)
    return Case((facts, body, head), note="some facts stand there twice")


def _rule_cases(rng: np.random.Generator) -> list[Case]:
    facts, body, head = _rule_case(rng, int(rng.integers(4))).args
    without = {r: facts[facts[:, 1] != r] for r in (body, head)}
    only = facts[np.isin(facts[:, 1], (body, head))]
    only[:, 1] = np.where(only[:, 1] == head, body, head)
    return [
        _rule_case(rng, 4),
        Case((facts, body, head), note="some facts stand there twice"),
        Case((only, body, head), note="some facts stand there twice"),
        Case((without[body], body, head), note="nothing has the body"),
        Case((without[head], body, head), note="nothing has the head"),
    ]


RULE_CONFIDENCE = Exercise(
    name="knowledge_graph.rule_confidence",
    title="The confidence of a rule",
    points=2,
    stars=2,
    parts=("support", "confidence"),
    reference=rule_confidence,
    cases=_rule_cases,
    mistakes=_RULE_MISTAKES,
    hints=(
        "Two sets of pairs (x, y): those of the body, those of the head. What is in both, and "
        "divided by how many?",
        "{(h, t) for h, r, t in facts.tolist() if r == body} is the set of the body; & gives what "
        "two sets share.",
        "support = len(of_body & of_head); "
        "return support, support / len(of_body) if of_body else 0.0",
    ),
)
