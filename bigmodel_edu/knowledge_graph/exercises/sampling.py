"""An exercise: Bernoulli sampling."""

from collections.abc import Callable

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from .. import reference as ref


def bernoulli(facts: Array, num_relations: int) -> Array:
    """Return for each relation (R,) the probability of replacing the head, tph / (tph + hpt)."""
    return ref.bernoulli_head_probability(facts, num_relations)


def _bernoulli_variant(
    probability: Callable[[float, float], float] = lambda tph, hpt: tph / (tph + hpt),
    per: Callable[[Array, int], float] = lambda pairs, side: (
        len(pairs) / len(np.unique(pairs[:, side]))
    ),
    empty: float = 0.5,
):
    """Return the probabilities with something changed; `per(pairs, side)` averages a side's."""

    def find(facts, num_relations):
        found = np.full(num_relations, empty)
        for relation in range(num_relations):
            pairs = facts[facts[:, 1] == relation][:, [0, 2]]
            if len(pairs):
                found[relation] = probability(per(pairs, 0), per(pairs, 1))
        return found

    return find


def _weighted_per(pairs: Array, side: int) -> float:
    _, where, counts = np.unique(pairs[:, side], return_inverse=True, return_counts=True)
    return counts[where].mean()


def _heads_of_all(facts: Array, num_relations: int) -> Array:
    heads, tails = (len(np.unique(facts[:, side])) for side in (0, 2))
    return np.full(num_relations, tails / (heads + tails))


def _bernoulli_cases(rng: np.random.Generator) -> list[Case]:
    def case(n: int, relations: int, note: str = "") -> Case:
        few_tails = np.unique(rng.integers([23, relations, 3], size=(n, 3)), axis=0)
        star = np.array([[2, 0, tail] for tail in range(7)] + [[head, 0, 1] for head in (3, 5)])
        facts = np.unique(np.concatenate([few_tails, star]), axis=0)
        return Case((rng.permutation(facts), relations), note=note)

    facts, relations = case(41, 5).args
    return [
        case(67, 3),
        case(29, 2),
        Case((facts[~np.isin(facts[:, 1], (1, 4))], relations), note="two relations without facts"),
        Case((np.array([[3, 1, int(rng.integers(9))]]), 2), note="one fact"),
    ]


BERNOULLI = Exercise(
    name="knowledge_graph.bernoulli",
    title="Bernoulli sampling",
    points=2,
    stars=2,
    reference=bernoulli,
    cases=_bernoulli_cases,
    mistakes=(
        Mistake(
            _bernoulli_variant(lambda tph, hpt: hpt / (tph + hpt)),
            "Head and tail are exchanged. With many tails per head, a random tail is often right "
            "by another fact; so it is the head that should be replaced.",
        ),
        Mistake(
            _bernoulli_variant(empty=np.nan),
            "A relation without facts has 0 / 0 in your code; it gets 1/2.",
        ),
        Mistake(
            _bernoulli_variant(empty=0.0),
            "A relation without facts gets 1/2; yours would never replace its head.",
        ),
        Mistake(
            _bernoulli_variant(per=_weighted_per),
            "You averaged over the facts, so that a head with ten tails counted ten times. tph is "
            "the average over the heads, each once: facts / different heads.",
        ),
        Mistake(
            _heads_of_all,
            "You counted heads and tails over the whole graph; each relation has its own.",
        ),
        Mistake(
            _bernoulli_variant(lambda tph, hpt: 0.5),
            "1/2 for all is what uniform sampling does. tph counts the facts of a relation for "
            "each different head, hpt for each different tail: np.unique.",
        ),
    ),
    hints=(
        "For one relation: tph is its number of facts divided by that of its different heads, hpt "
        "the same with its different tails.",
        "With n facts, H heads and T tails: (n/H) / (n/H + n/T) = T / (H + T). A loop over the "
        "relations is good enough.",
        "of_r = facts[facts[:, 1] == r]; H, T = len(np.unique(of_r[:, 0])), "
        "len(np.unique(of_r[:, 2])); T / (H + T) if len(of_r) else 0.5",
    ),
)
