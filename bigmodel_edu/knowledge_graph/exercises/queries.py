"""An exercise: two hops."""

from collections.abc import Callable, Iterable

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from .. import reference as ref
from .leaks import _facts


def two_hop(facts: Array, source: int, first: int, second: int) -> Array:
    """Return, ascending, the entities y with first(source, z) and second(z, y) for some z."""
    relations = int(max(facts[:, 1].max(), first, second)) + 1
    index = ref.FactIndex(facts, int(max(facts[:, [0, 2]].max(), source)) + 1, relations)
    return ref.two_hop_answers(index, source, first, second)


def _tails(facts: Array, sources: Iterable[int], relation: int) -> list[int]:
    """Return the tails for all the sources, in the order of the facts, repeated as they come."""
    sources = set(sources)
    return [t for h, r, t in facts.tolist() if r == relation and h in sources]


def _tails_or_heads(facts: Array, sources: Iterable[int], relation: int) -> list[int]:
    back = facts[:, ::-1]
    return _tails(np.concatenate([facts, back]), sources, relation)


def _two_hop_variant(
    reach: Callable[[Array, Iterable[int], int], list[int]] = _tails,
    middle: Callable[[list[int]], list[int]] = lambda z: z,
    end: Callable[[list[int], int], Iterable[int]] = lambda y, source: sorted(set(y)),
):
    """Return two hops with something changed: a hop, who is in the middle, the list at the end."""

    def hop(facts, source, first, second):
        z = middle(reach(facts, [source], first))
        return np.array(list(end(reach(facts, z, second), source)), dtype=int)

    return hop


def _once_for_each_middle(facts: Array, source: int, first: int, second: int) -> Array:
    middle = sorted(set(_tails(facts, [source], first)))
    return np.array(sorted(y for z in middle for y in set(_tails(facts, [z], second))), dtype=int)


def _both_from_source(facts: Array, source: int, first: int, second: int) -> Array:
    ends = (set(_tails(facts, [source], relation)) for relation in (first, second))
    return np.array(sorted(set.intersection(*ends)), dtype=int)


def _of_floats_if_empty(facts: Array, source: int, first: int, second: int) -> Array:
    return np.array(two_hop(facts, source, first, second).tolist())


_TWO_HOP_MISTAKES = (
    Mistake(
        _once_for_each_middle,
        "Entities that are reached by several ways stand there several times; each is wanted once: "
        "np.unique.",
    ),
    Mistake(
        _two_hop_variant(end=lambda y, source: dict.fromkeys(y)),
        "The entities are right, but not in ascending order: np.unique sorts as well.",
    ),
    Mistake(
        lambda facts, source, first, second: two_hop(facts, source, second, first),
        "You took the second relation first.",
    ),
    Mistake(
        _two_hop_variant(middle=lambda z: z[:1]),
        "You went on from one of the entities in the middle only; there may be several.",
    ),
    Mistake(
        _two_hop_variant(_tails_or_heads),
        "You went along the relations in both directions. A fact (h, r, t) leads from h to t.",
    ),
    Mistake(
        _two_hop_variant(end=lambda y, source: sorted(set(y) - {source})),
        "You left out the source. It may be its own answer: who shares a currency with you shares "
        "it with themselves, too.",
    ),
    Mistake(
        _both_from_source,
        "You took both hops from the source. The second begins where the first ended.",
    ),
    Mistake(
        _of_floats_if_empty,
        "Where nothing is reached, your array is one of floats: np.array([]) is. Give it "
        "dtype=int, or use np.unique of an array of integers.",
    ),
)


def _two_hop_case(rng: np.random.Generator, more: int) -> Case:
    """Draw a case with all that may go wrong, and so many facts more that lead nowhere."""
    first, second, other = (int(r) for r in rng.permutation(5)[:3])
    # from 0 by 1, 2 or 3, which is a dead end, to 0 itself, to 4 and in two ways to 5
    facts = _facts(first, (0, 1), (0, 2), (0, 3)) + _facts(second, (1, 0), (1, 5), (2, 5), (2, 4))
    facts += _facts(other, (0, 6), (1, 7)) + _facts(second, (6, 8))  # another relation
    facts += _facts(first, (9, 10)) + _facts(second, (10, 11))  # another source
    facts += _facts(first, (12, 0)) + _facts(second, (12, 13), (14, 2))  # turned round
    facts += _facts(second, (0, 1), (0, 15)) + _facts(first, (15, 16))  # the second one first
    fresh = [(17 + 2 * i, 18 + 2 * i) for i in range(more)]
    facts += _facts(first, *fresh[:2]) + _facts(second, *fresh[2:])
    place = rng.permutation(17 + 2 * more)
    h, r, t = rng.permutation(facts).T
    facts = np.stack([place[h], r, place[t]], axis=1)
    leads_to_the_last = facts[:, 2] == place[[0, 4, 5]].max()
    facts = facts[np.argsort(~leads_to_the_last, kind="stable")]  # found first, it belongs last
    return Case((facts, int(place[0]), first, second))


def _two_hop_cases(rng: np.random.Generator) -> list[Case]:
    facts, source, first, second = _two_hop_case(rng, int(rng.integers(4))).args
    begins = (facts[:, 0] == source) & (facts[:, 1] == first)
    ends = np.isin(facts[:, 0], facts[begins, 2]) & (facts[:, 1] == second)
    twice = np.where(facts[:, 1] == second, first, facts[:, 1])
    return [
        _two_hop_case(rng, 4),
        Case((facts, source, first, second)),
        Case((facts[~begins], source, first, second), note="nothing is reached"),
        Case((facts[~ends], source, first, second), note="the first hop leads to dead ends"),
        Case(
            (np.stack([facts[:, 0], twice, facts[:, 2]], axis=1), source, first, first),
            note="the same relation twice",
        ),
    ]


TWO_HOP = Exercise(
    name="knowledge_graph.two_hop",
    title="Two hops",
    points=2,
    stars=2,
    reference=two_hop,
    cases=_two_hop_cases,
    mistakes=_TWO_HOP_MISTAKES,
    hints=(
        "First all z with the fact (source, first, z); then all y with a fact (z, second, y) for "
        "any of these z.",
        "A mask picks the facts: facts[:, 1] == second, and np.isin(facts[:, 0], middle) for all z "
        "at once.",
        "middle = facts[(facts[:, 0] == source) & (facts[:, 1] == first), 2]; then "
        "np.unique(facts[np.isin(facts[:, 0], middle) & (facts[:, 1] == second), 2])",
    ),
)
