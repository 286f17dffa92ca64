"""An exercise: leaks."""

from collections.abc import Callable, Iterable

import numpy as np

from bigmodel_edu.data import graph_splits
from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array


def leaks(train: Array, test: Array) -> Array:
    """Return booleans (n_test,): a fact of train links the two entities of the test fact."""
    return np.array([len(graph_splits.leaks(train, fact[None])) > 0 for fact in test], dtype=bool)


def _leaks_variant(keys: Callable[[Array], Iterable], keys_of_test: Callable | None = None):
    """Return a test by other keys of facts; the keys of train may be several for each fact."""

    def find(train, test):
        seen = set(keys(train))
        return np.array([key in seen for key in (keys_of_test or keys)(test)], dtype=bool)

    return find


def _forward(facts: Array) -> list[tuple[int, ...]]:
    return [(h, t) for h, _, t in facts.tolist()]


def _backward(facts: Array) -> list[tuple[int, ...]]:
    return [(t, h) for h, _, t in facts.tolist()]


def _with_relation(facts: Array) -> list[tuple[int, ...]]:
    return [(min(h, t), r, max(h, t)) for h, r, t in facts.tolist()]


def _entities_seen(train: Array, test: Array) -> Array:
    return np.isin(test[:, [0, 2]], train[:, [0, 2]]).all(axis=1)


def _places_seen(train: Array, test: Array) -> Array:
    return np.isin(test[:, 0], train[:, 0]) & np.isin(test[:, 2], train[:, 2])


def _within_a_pair(train: Array, test: Array) -> Array:
    seen = set(_forward(train))
    return np.array([any({h, t} <= {*pair} for pair in seen) for h, t in _forward(test)])


def _numbered(largest: Callable[[Array, Array], int]) -> Callable[[Array, Array], Array]:
    """Return a test by low · E + high, with E one more than the largest of something."""

    def find(train, test):
        def keys(facts):
            low, high = np.sort(facts[:, [0, 2]], axis=1).T
            return low * (1 + largest(train, test)) + high

        return np.isin(keys(test), keys(train))

    return find


_LEAK_MISTAKES = (
    Mistake(
        _leaks_variant(_forward),
        "You looked for the pair in one direction only. A fact read backwards gives as much away: "
        "(t, r, h) in train says that the two belong together.",
    ),
    Mistake(
        _leaks_variant(_backward, _forward),
        "You looked for the turned pair only; the same pair in the same direction, by another "
        "relation, leaks as well.",
    ),
    Mistake(
        _leaks_variant(_with_relation),
        "You asked for the same relation too. Any relation between the two entities is a leak: "
        "who has seen official_language need not learn anything to answer speaks.",
    ),
    Mistake(
        _entities_seen,
        "Your test asks whether both entities occur in train somewhere, in different facts even. "
        "That is as it should be; a leak is one fact with both of them.",
    ),
    Mistake(
        _places_seen,
        "You compared heads with heads and tails with tails, each by itself. The pair has to stand "
        "in one and the same fact.",
    ),
    Mistake(
        _leaks_variant(lambda facts: (facts[:, 0] + facts[:, 2]).tolist()),
        "h + t is no key for a pair: 1 + 4 = 2 + 3. Take min(h, t) · E + max(h, t), or a pair "
        "(a tuple, a frozenset).",
    ),
    Mistake(
        _within_a_pair,
        "A fact about an entity and itself is a leak only if train has one as well: for (x, r, x) "
        "it is not enough that x stands in some fact of train.",
    ),
    *(
        Mistake(
            _numbered(largest),
            "Two pairs got the same number. In low · E + high, E must be larger than every entity "
            "of *both* arrays.",
        )
        for largest in (lambda train, test: train.max(), lambda train, test: test.max())
    ),
)


def _leaks_case(rng: np.random.Generator, more_of: str, note: str = "") -> Case:
    """Draw a case with all that may go wrong; `more_of` has entities that the other part lacks."""
    a, b, c = rng.permutation(5)[:3]
    train = [*_facts(a, (0, 9), (3, 1), (2, 2)), *_facts(c, (4, 7))]
    test = [*_facts(b, (0, 9), (1, 3), (2, 2)), *_facts(c, (7, 4))]  # these leak
    # 0 is a head of train and 1 a tail; 4 + 5 = 0 + 9; 9 is in train, but not with itself
    test += _facts(a, (0, 1), (4, 5), (9, 9))
    first = int(rng.integers(1, 50))  # the entities are numbered from here
    number = first + 10  # of entities so far
    if more_of == "train":  # with E = number from test alone, the key of (0, 1) in test
        train += _facts(b, (-1, 1 + number))
    else:  # with E = number from train alone, the key of (3, 1) in train; and 29 - 20 = 9 - 0
        test += _facts(b, (0, 3 + number), (20, 29))
    parts = (rng.permutation(part) + np.array([first, 0, first]) for part in (train, test))
    return Case(tuple(parts), note=note)


def _facts(relation: int, *pairs: tuple[int, int]) -> list[tuple[int, int, int]]:
    return [(head, relation, tail) for head, tail in pairs]


def _leaks_cases(rng: np.random.Generator) -> list[Case]:
    train, test = _leaks_case(rng, "test").args
    return [
        _leaks_case(rng, "train"),
        Case((train, test), note="entities that train lacks"),
        Case((train, train[:3] + np.array([0, 5, 0])), note="the same pairs, another relation"),
    ]


LEAKS = Exercise(
    name="knowledge_graph.leaks",
    title="A test for leaks",
    points=2,
    stars=2,
    reference=leaks,
    cases=_leaks_cases,
    mistakes=_LEAK_MISTAKES,
    hints=(
        "Give each unordered pair of entities one key, the same for (h, t) and (t, h), and look up "
        "the keys of the test facts among those of train.",
        "np.sort(facts[:, [0, 2]], axis=1) puts the smaller number first. Make one number of both, "
        "low · E + high, with E larger than all entities of both arrays.",
        "E = 1 + max(train.max(), test.max()); low, high = np.sort(facts[:, [0, 2]], axis=1).T; "
        "key = low * E + high; return np.isin(key_of_test, key_of_train)",
    ),
)
