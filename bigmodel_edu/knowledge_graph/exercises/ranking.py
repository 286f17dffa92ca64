"""Exercises: the filtered rank of an answer, and metrics of ranks."""

from collections.abc import Callable

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from .. import reference as ref


def filtered_rank(scores: Array, target: int, known: Array) -> float:
    """Return the realistic rank of entity `target` among the scores (E,), others known left out."""
    rows = np.zeros(len(known), dtype=int)
    found = ref.ranks(scores[None], np.array([target]), (rows, known))
    return float(found.realistic[0])


def _rank_variant(
    rank: Callable[[int, int], float] = lambda above, level: 1 + above + (level - 1) / 2,
    left_out: Callable[[Array, int], Array] = lambda known, target: known[known != target],
    instead: float | None = None,
    alike: Callable[[Array, float], Array] = np.equal,
    sign: int = 1,
):
    """Return the rank with something changed: ties, the filter, its value, the direction.

    `rank` gets how many are above the target, and how many are level with it, itself included.
    Whoever is left out gets the score `instead`; None takes them out of the list. Scores are level
    where they are `alike`.
    """

    def find(scores, target, known):
        scores, out = sign * scores, left_out(known, target)
        own = scores[target]
        if instead is None:
            scores = np.delete(scores, out)
        else:
            scores[out] = instead
            own = scores[target]
        level = alike(scores, own)
        above = np.count_nonzero((scores > own) & ~level)
        return float(rank(above, np.count_nonzero(level)))

    return find


def _place_in_a_sorted_list(scores, target, known):
    scores = scores.copy()
    scores[known[known != target]] = -np.inf
    return 1.0 + np.flatnonzero(np.argsort(-scores, kind="stable") == target)[0]


_RANK_MISTAKES = (
    Mistake(
        _rank_variant(lambda above, level: 1 + above),
        "This is the optimistic rank: of those with the same score the target comes first. A model "
        "that scores all alike would be perfect. Take the mean with the pessimistic one.",
    ),
    Mistake(
        _rank_variant(lambda above, level: above + level),
        "This is the pessimistic rank: of those with the same score the target comes last. Take "
        "the mean with the optimistic one.",
    ),
    Mistake(
        _rank_variant(left_out=lambda known, target: known[:0]),
        "The other known answers are still among the candidates. They are right as well, and a "
        "model must not be punished for naming them.",
    ),
    Mistake(
        _rank_variant(left_out=lambda known, target: known, instead=-np.inf),
        "The target may be among `known`, and you took it out too: now its own score is -∞. Take "
        "out the others only.",
    ),
    Mistake(
        _rank_variant(left_out=lambda known, target: known),
        "The target may be among `known`, and you took it out too: nobody is left to be level with "
        "it. Take out the others only.",
    ),
    Mistake(
        _rank_variant(instead=0.0),
        "You gave the known answers the score 0. Among negative scores that is the best there is: "
        "take them out of the list.",
    ),
    Mistake(
        _rank_variant(instead=-np.inf),
        "You gave the known answers the score -∞. Where the target has that score itself, they are "
        "level with it: take them out of the list.",
    ),
    Mistake(
        _place_in_a_sorted_list,
        "You looked up the target's place in a sorted list. Who is level with it stands before or "
        "behind it there by chance: count those above and those level.",
    ),
    Mistake(
        _rank_variant(alike=np.isclose),
        "You took scores that are close for equal. However small a difference is, the larger score "
        "is above.",
    ),
    Mistake(
        _rank_variant(sign=-1),
        "You counted those below the target. The largest score is the best: rank 1.",
    ),
    Mistake(
        _rank_variant(lambda above, level: above + (level - 1) / 2),
        "Ranks begin with 1, yours with 0.",
    ),
)


def _rank_case(
    rng: np.random.Generator,
    rivals: tuple[int, int, int],
    known: tuple[int, int, int],
    at: float,
    told: bool,
    note: str = "with ties",
) -> Case:
    """Draw a case with so many rivals above, level with and below the target, known ones alike.

    at: the score of the target. told: whether it is among the known itself.
    """
    sides = np.repeat([1, 0, 0, -1, 1, 0, -1], [rivals[0], 1, *rivals[1:], *known])
    order = rng.permutation(len(sides))
    is_known, sides = order >= 1 + sum(rivals), sides[order]
    distance = rng.uniform(0.1, 0.9, size=len(sides))
    start = at if np.isfinite(at) else 0.0  # what is above -∞ is finite, and nothing is below
    scores = np.where(sides == 0, at, start + sides * distance)
    # the second of its equals: neither the first in a sorted list nor, of three, the last
    target = int(np.flatnonzero((sides == 0) & ~is_known)[1])
    is_known[target] = told
    return Case((scores, target, rng.permutation(np.flatnonzero(is_known))), note=note)


def _rank_cases(rng: np.random.Generator) -> list[Case]:
    n = int(rng.integers(5, 30))
    everyone, target = np.arange(n), int(rng.integers(n))
    near = np.repeat(rng.normal(), 6)
    near[:2], near[2:5] = np.nextafter(near[:2], 9), np.nextafter(near[2:5], -9)
    return [
        _rank_case(rng, (2, 3, 5), (1, 2, 1), at=-3.0, told=True),
        _rank_case(rng, (3, 1, 2), (2, 1, 3), at=float(rng.normal()), told=False),
        _rank_case(rng, (2, 3, 0), (1, 2, 0), at=-np.inf, told=True, note="scores of -∞"),
        Case((near, 5, everyone[:0]), note="scores that differ by next to nothing"),
        Case((rng.normal(size=19), 5, everyone[:0]), note="no other answer is known"),
        Case((np.full(n, -1.5), target, np.array([target])), note="all scores are equal"),
        Case((rng.normal(size=n), target, everyone), note="all entities are right"),
    ]


FILTERED_RANK = Exercise(
    name="knowledge_graph.filtered_rank",
    title="A fair rank",
    points=2,
    stars=2,
    reference=filtered_rank,
    cases=_rank_cases,
    mistakes=_RANK_MISTAKES,
    hints=(
        "First leave out the known answers except the target; then count how many of the remaining "
        "are above the target, and how many are level with it.",
        "A mask keeps the candidates: keep = np.ones(len(scores), dtype=bool); "
        "keep[known] = False; keep[target] = True.",
        "above = (scores[keep] > scores[target]).sum(); level = (scores[keep] == "
        "scores[target]).sum(), which counts the target; return ((above + 1) + (above + level)) "
        "/ 2",
    ),
)


def ranking_metrics(ranks: Array) -> tuple[float, float]:
    """Return MRR and Hits@10 of ranks (n,)."""
    metrics = ref.rank_metrics(ranks)
    return metrics.mrr, metrics.hits_at_10


def _metrics_variant(
    mrr: Callable[[Array], float] = lambda ranks: (1 / ranks).mean(),
    hits: Callable[[Array], float] = lambda ranks: (ranks <= 10).mean(),
):
    """Return the metrics with one of them changed."""
    return lambda ranks: (float(mrr(ranks)), float(hits(ranks)))


def _metrics_cases(rng: np.random.Generator) -> list[Case]:
    border = np.array([9.0, 9.5, 10.0, 10.5, 11.0])
    return [
        Case((np.append(rng.integers(2, 60, size=23) / 2, border),), note="ranks with halves"),
        Case((np.append(rng.integers(1, 500, size=41).astype(float), 3.0),)),
        Case((rng.integers(1, 9, size=7).astype(float),), note="all among the first ten"),
        Case((rng.integers(20, 90, size=1).astype(float),), note="one rank"),
    ]


RANKING_METRICS = Exercise(
    name="knowledge_graph.ranking_metrics",
    title="Two metrics",
    points=1,
    stars=1,
    parts=("MRR", "Hits@10"),
    reference=ranking_metrics,
    cases=_metrics_cases,
    mistakes=(
        Mistake(
            _metrics_variant(mrr=lambda ranks: 1 / ranks.mean()),
            "You took the reciprocal of the mean rank. It is the mean of the reciprocals: a single "
            "rank of 1000 must not ruin a hundred ranks of 1.",
        ),
        Mistake(
            _metrics_variant(hits=lambda ranks: (ranks < 10).mean()),
            "Rank 10 is a hit among the first ten: ≤, not <.",
        ),
        Mistake(
            _metrics_variant(hits=lambda ranks: (ranks <= 10).sum()),
            "You counted the hits; Hits@10 is their share.",
        ),
        Mistake(
            _metrics_variant(hits=lambda ranks: 100 * (ranks <= 10).mean()),
            "Your Hits@10 is in per cent; a share from 0 to 1 is wanted.",
        ),
        Mistake(
            _metrics_variant(hits=lambda ranks: (ranks.astype(int) <= 10).mean()),
            "You rounded down the ranks first. 10.5 is the mean of ranks 10 and 11, a tie over the "
            "border, and not within the first ten.",
        ),
        Mistake(
            lambda ranks: ranking_metrics(ranks)[::-1],
            "The two results are in the wrong order: return (MRR, Hits@10).",
        ),
    ),
    hints=(
        "Both are means over the questions: of 1 / rank, and of 1 for a hit and 0 for a miss.",
        "The mean of booleans is the share of True.",
        "return (1 / ranks).mean(), (ranks <= 10).mean()",
    ),
)
