"""The exercises of chapter 8: their cases, and the mistakes that readers really make."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from bigmodel_edu.data import KnowledgeGraph, graph_splits, load_cldr_graph
from bigmodel_edu.labs import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from . import reference as ref
from .reference.complex_numbers import complex_product, conjugate, halves, rotation
from .reference.ranking import ScoreFunction

# --- the score of TransE -------------------------------------------------------------------------


def transe_score(s: Array, r: Array, t: Array, p: int) -> Array:
    """Return the scores (B,) of facts with the rows s, r and t (B, D), p being 1 or 2."""
    model = ref.TransE(1, 1, s.shape[1], p=p)
    scores, _ = model.matching.forward(model.query(s, r), t[:, None])
    return scores[:, 0]


def _transe_variant(
    norm: Callable[[Array, int], Array] = lambda gap, p: np.linalg.norm(gap, ord=p, axis=1),
    gap: Callable[[Array, Array, Array], Array] = lambda s, r, t: s + r - t,
    sign: int = -1,
):
    """Return the score with something changed: what is measured, by which norm, the sign."""
    return lambda s, r, t, p: sign * norm(gap(s, r, t), p)


def _transe_cases(rng: np.random.Generator) -> list[Case]:
    def case(b: int, d: int, p: int, note: str = "") -> Case:
        return Case((*rng.normal(size=(3, b, d)), p), note=note)

    s, r, _, _ = case(3, 5, 1).args
    return [
        case(7, 5, 1),
        case(5, 11, 2),
        case(2, 1, 2, "one number each"),
        case(1, 13, 2, "one fact"),
        Case((s, r, s + r, 1), note="the step arrives"),
    ]


TRANSE_SCORE = Exercise(
    name="knowledge_graph.transe_score",
    title="The score of TransE",
    points=1,
    stars=1,
    reference=transe_score,
    cases=_transe_cases,
    mistakes=(
        Mistake(
            _transe_variant(sign=1),
            "This is the distance. The score is its negative, so that what is nearer scores "
            "higher: nobody is more plausible than one who lies 0 away.",
        ),
        Mistake(
            _transe_variant(gap=lambda s, r, t: s + t - r),
            "You measured how far s + t is from r. The relation is the step from s to t: "
            "s + r - t.",
        ),
        Mistake(
            _transe_variant(gap=lambda s, r, t: s - r - t),
            "You went the step back: the difference is s + r - t, not s - r - t.",
        ),
        Mistake(
            _transe_variant(lambda gap, p: (np.abs(gap) ** p).sum(axis=1)),
            "The root is missing: for p = 2 the norm is √Σ x², and you returned Σ x². It ranks "
            "alike, but margins and gradients are others.",
        ),
        Mistake(
            _transe_variant(lambda gap, p: np.linalg.norm(gap, axis=1)),
            "You always take the Euclidean norm; p = 1 asks for the sum of the absolute values.",
        ),
        Mistake(
            _transe_variant(lambda gap, p: np.linalg.norm(gap, ord=p)),
            "np.linalg.norm without an axis takes the norm of the whole matrix, one number for all "
            "facts: give it axis=1.",
        ),
    ),
    hints=(
        "How far does the step r from s end from t? One difference, one norm along the last axis, "
        "and a minus.",
        "‖x‖₁ = Σ |x_i| and ‖x‖₂ = √Σ x_i²: np.linalg.norm(x, ord=p, axis=...) knows both.",
        "return -np.linalg.norm(s + r - t, ord=p, axis=-1)",
    ),
)

# --- ranks ---------------------------------------------------------------------------------------


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

# --- leaks ---------------------------------------------------------------------------------------


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

# --- the gradient of the margin loss -------------------------------------------------------------


def margin_gradient(positive: Array, negative: Array, margin: float) -> tuple[Array, Array]:
    """Return the gradients of the mean of max(0, margin - s⁺ + s⁻) at s⁺ (B,) and s⁻ (B, N)."""
    loss = ref.MarginLoss(margin)
    _, cache = loss.forward({}, positive, negative)
    gradients, _ = loss.backward({}, cache, np.ones((), positive.dtype))
    return gradients


def _margin_variant(
    violated: Callable[[Array, Array, float], Array] = lambda p, n, margin: margin - p + n > 0,
    count: Callable[[Array], int] = lambda violated: violated.size,
    of_positive: Callable[[Array], Array] = lambda d_negative: -d_negative.sum(axis=1),
    sign: int = 1,
):
    """Return the gradients with something changed: who counts, the mean, the sum, the sign."""

    def gradient(positive, negative, margin):
        pairs = violated(positive[:, None], negative, margin)
        d_negative = sign * (pairs / count(pairs))
        return of_positive(d_negative), d_negative

    return gradient


def _margin_cases(rng: np.random.Generator) -> list[Case]:
    def case(b: int, n: int, margin: float, note: str = "") -> Case:
        positive, negative = rng.normal(size=b), rng.normal(size=(b, n))
        negative[0, 0] = positive[0] - 2 * margin  # one pair keeps the margin, one does not
        negative[1, -1] = positive[1] + margin
        return Case((positive, negative, margin), note=note)

    edge = rng.integers(3, 9, size=5).astype(float)
    beside = edge[:, None] - np.array([1.0, 2.0, 0.0, 3.0])
    return [
        case(7, 5, 0.7),
        case(3, 11, 2.0),
        case(2, 1, 0.3, "one negative"),
        Case((edge, beside, 1.0), note="some right on the edge"),
        Case((10 + rng.random(4), rng.random((4, 3)), 1.0), note="every margin is kept"),
    ]


MARGIN_GRADIENT = Exercise(
    name="knowledge_graph.margin_gradient",
    title="The margin loss, backwards",
    points=2,
    stars=2,
    parts=("d_positive", "d_negative"),
    reference=margin_gradient,
    cases=_margin_cases,
    mistakes=(
        Mistake(
            _margin_variant(count=lambda violated: 1),
            "The loss is a mean over all B · N pairs: each pair's share of the gradient is "
            "1 / (B N).",
        ),
        Mistake(
            _margin_variant(count=lambda violated: len(violated)),
            "You divided by B only; the mean runs over all B · N pairs.",
        ),
        Mistake(
            _margin_variant(count=lambda violated: max(1, np.count_nonzero(violated))),
            "You divided by the number of pairs that violate the margin. The mean runs over all "
            "B · N of them, those with no loss included.",
        ),
        Mistake(
            _margin_variant(lambda p, n, margin: np.ones(n.shape, dtype=bool)),
            "You let every pair pull. One that keeps the margin has the loss 0, and so no "
            "gradient: only margin - s⁺ + s⁻ > 0 counts.",
        ),
        Mistake(
            _margin_variant(lambda p, n, margin: margin + p - n > 0),
            "You have the two scores the other way round: a pair has a loss where "
            "margin - s⁺ + s⁻ > 0, that is, where the right answer is not far enough ahead.",
        ),
        Mistake(
            _margin_variant(lambda p, n, margin: margin - p + n >= 0),
            "A pair right on the edge has the gradient 0 here, as in ReLU: >, not >=.",
        ),
        Mistake(
            _margin_variant(of_positive=lambda d_negative: -d_negative.mean(axis=1)),
            "A positive score stands in N pairs, and its gradient is the sum over them, not the "
            "mean: the 1 / N is in the mean of the loss already.",
        ),
        Mistake(
            _margin_variant(sign=-1),
            "The signs are exchanged. These are gradients, the direction in which the loss grows: "
            "it falls with s⁺ and rises with s⁻.",
        ),
    ),
    hints=(
        "Look at one pair: what are the derivatives of max(0, margin - s⁺ + s⁻), where it is "
        "positive and where it is 0?",
        "-1 and +1, or 0 and 0. Each pair weighs 1 / (B N); s⁻ stands in one pair and s⁺ in N of "
        "them, whose gradients add up.",
        "violated = margin - positive[:, None] + negative > 0; "
        "d_negative = violated / violated.size; return -d_negative.sum(axis=1), d_negative",
    ),
)

# --- Bernoulli sampling --------------------------------------------------------------------------


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

# --- ComplEx with real numbers -------------------------------------------------------------------


def complex_score(s: Array, r: Array, t: Array) -> Array:
    """Return the scores (B,) of ComplEx, each input (B, 2d), real parts first."""
    model = ref.ComplEx(1, 1, s.shape[1] // 2)
    scores, _ = model.matching.forward(model.query(s, r), t[:, None])
    return scores[:, 0]


def _to_complex(x: Array) -> Array:
    real, imaginary = halves(x)
    return real + 1j * imaginary


def _from_neighbours(x: Array) -> Array:
    return x[..., 0::2] + 1j * x[..., 1::2]


def _complex_variant(
    product: Callable[[Array, Array, Array], Array] = lambda s, r, t: s * r * t.conj(),
    part: Callable[[Array], Array] = np.real,
    numbers: Callable[[Array], Array] = _to_complex,
):
    """Return the score with something changed: the product, which part of it, how it is stored."""
    return lambda s, r, t: part(product(*map(numbers, (s, r, t))).sum(axis=-1)).copy()


COMPLEX_SCORE = Exercise(
    name="knowledge_graph.complex_score",
    title="ComplEx with real numbers",
    points=2,
    stars=2,
    reference=complex_score,
    cases=lambda rng: [
        Case(tuple(rng.normal(size=(3, b, 2 * d))), note=note)
        for b, d, note in ((7, 3, ""), (5, 11, ""), (2, 1, "one complex number"), (1, 5, ""))
    ],
    mistakes=(
        Mistake(
            _complex_variant(lambda s, r, t: s * r * t),
            "The target is not conjugated: it is s r t̄, the imaginary part of t with the other "
            "sign.",
        ),
        Mistake(
            _complex_variant(lambda s, r, t: s.conj() * r * t),
            "You conjugated the source, or all but the source, which has the same real part. It is "
            "the target: yours is the score of the fact read backwards, (t, r, s).",
        ),
        Mistake(
            _complex_variant(lambda s, r, t: s * r.conj() * t),
            "You conjugated the relation; it is the target.",
        ),
        Mistake(
            lambda s, r, t: (s * r * t).sum(axis=-1),
            "This is DistMult with 2d real numbers: it multiplies real parts with real parts and "
            "imaginary parts with imaginary parts, and i · i = -1 never comes up.",
        ),
        Mistake(
            _complex_variant(part=np.imag),
            "This is the imaginary part of the sum; the score is its real part.",
        ),
        Mistake(
            _complex_variant(numbers=_from_neighbours),
            "You took neighbours for one complex number. Here all real parts come first: number i "
            "is x[i] + i · x[i + d].",
        ),
        Mistake(
            _complex_variant(part=lambda x: x),
            "You returned complex numbers; the score is their real part.",
        ),
    ),
    hints=(
        "First the query q = s r, a complex product with real and imaginary part; then the real "
        "part of q t̄.",
        "(a + ib)(c + id) = (ac - bd) + i (ad + bc), and Re (u + iv)(x - iy) = ux + vy: the dot "
        "product of the halves.",
        "with the halves a, b of s; c, e of r; x, y of t: "
        "((a * c - b * e) * x + (a * e + b * c) * y).sum(axis=-1)",
    ),
)

# --- RotatE --------------------------------------------------------------------------------------


def turn_back(t: Array, angles: Array) -> Array:
    """Return the source (B, 2d) that the rotation by angles (B, d) brings to t (B, 2d)."""
    model = ref.RotatE(1, 1, angles.shape[1])
    return model.query(t, model.inverse(angles))


def _turned(x: Array, real: tuple[int, int], imaginary: tuple[int, int], angles: Array) -> Array:
    """Return x with a cos and b sin of each part added up with other signs."""
    (a, b), cos, sin = halves(x), np.cos(angles), np.sin(angles)
    return np.concatenate(
        [
            real[0] * a * cos + real[1] * b * sin,
            imaginary[0] * b * cos + imaginary[1] * a * sin,
        ],
        axis=-1,
    )


def _turn_back_neighbours(t: Array, angles: Array) -> Array:
    d = angles.shape[1]
    order = np.stack([np.arange(d), d + np.arange(d)], axis=1).ravel()
    place = np.argsort(order)
    return turn_back(t[:, place], angles)[:, order]


TURN_BACK = Exercise(
    name="knowledge_graph.turn_back",
    title="Turning back",
    points=1,
    stars=1,
    reference=turn_back,
    cases=lambda rng: [
        Case((rng.normal(size=(b, 2 * d)), rng.uniform(-size, size, size=(b, d))), note=note)
        for b, d, size, note in (
            (7, 3, np.pi, ""),
            (3, 5, 9.0, "more than one turn"),
            (1, 2, np.pi, "one source"),
        )
    ],
    mistakes=(
        Mistake(
            lambda t, angles: complex_product(t, rotation(angles)),
            "You turned forwards, once more. The way back is the rotation by -θ: the sine changes "
            "its sign.",
        ),
        Mistake(
            lambda t, angles: -complex_product(t, rotation(angles)),
            "You changed the sign of the result, which is another half turn. What changes its "
            "sign is the angle.",
        ),
        Mistake(
            lambda t, angles: _turned(t, (1, 1), (1, 1), angles),
            "Both your parts have a plus. A rotation has one minus: turning back, it is "
            "x cos θ + y sin θ and y cos θ - x sin θ; without it lengths change.",
        ),
        Mistake(
            lambda t, angles: conjugate(complex_product(t, rotation(angles))),
            "You conjugated t as well: (t e^(iθ)) conjugated is t̄ e^(-iθ), and t stays as it is.",
        ),
        Mistake(
            _turn_back_neighbours,
            "You took neighbours for one complex number. Here all real parts come first: number i "
            "is t[i] + i · t[i + d].",
        ),
    ),
    hints=(
        "If s e^(iθ) = t, then s = t e^(-iθ): turning back is turning by the negative angle.",
        "cos(-θ) = cos θ and sin(-θ) = -sin θ; then one complex product, the halves of t with "
        "these two.",
        "x, y = t[:, :d], t[:, d:]; return np.concatenate([x * cos + y * sin, y * cos - x * sin], "
        "axis=1)",
    ),
)


def compose(first: Array, second: Array) -> Array:
    """Return the angles, in [-π, π), of turning by `first` and then by `second`."""
    return (first + second + np.pi) % (2 * np.pi) - np.pi


def _wrapped_once(angles: Array) -> Array:
    angles = np.where(angles >= np.pi, angles - 2 * np.pi, angles)
    return np.where(angles < -np.pi, angles + 2 * np.pi, angles)


def _between(rng: np.random.Generator, *shape: int, size: float) -> tuple[Array, Array]:
    """Draw two angles each whose sum is no odd multiple of π, nor near to one."""
    first, second = rng.uniform(-size, size, size=(2, *shape))
    near = np.abs(np.abs(compose(first, second)) - np.pi) < 1e-3
    return first, np.where(near, second + 0.1, second)


_ENDS = np.array([np.pi, 0.0, -np.pi, 0.0, np.pi / 2, np.pi / 2, 20.0, -20.0, -20.0, 20.0])
"""Neighbours add up to half a turn either way, or to more than one; π and -π are exact here."""

COMPOSE = Exercise(
    name="knowledge_graph.compose",
    title="One rotation after the other",
    points=1,
    stars=1,
    reference=compose,
    cases=lambda rng: [
        Case(_between(rng, 31, size=np.pi)),
        Case(_between(rng, 5, 17, size=np.pi), note="several relations"),
        Case(_between(rng, 23, size=20.0), note="more than one turn"),
        Case((np.full(3, 3.0), np.full(3, 3.0)), note="nearly half a turn, twice"),
        Case((_ENDS, np.append(_ENDS[1:], 20.0)), note="half a turn, and many turns"),
    ],
    mistakes=(
        Mistake(
            lambda first, second: first + second,
            "The sum is right, but not brought into [-π, π): take away whole turns.",
        ),
        Mistake(
            lambda first, second: (first + second) / 2,
            "You averaged. Turning by one and then by the other turns by their sum.",
        ),
        Mistake(
            lambda first, second: compose((first + second) / 2, 0.0),
            "You averaged. Turning by one and then by the other turns by their sum.",
        ),
        Mistake(
            lambda first, second: (first + second) % (2 * np.pi),
            "Your angles lie in [0, 2π); they should lie in [-π, π): shift by π before the "
            "remainder, and back after it.",
        ),
        Mistake(
            lambda first, second: _wrapped_once(first + second),
            "You took away one turn at most. Trained angles are free to turn many times: use the "
            "remainder, %.",
        ),
        Mistake(
            lambda first, second: np.angle(np.exp(1j * (first + second))),
            "Half a turn comes out as π, where -π is wanted: np.angle and np.arctan2 return angles "
            "in (-π, π], the other end left out. Take the remainder, %.",
        ),
        Mistake(
            lambda first, second: np.fmod(first + second + np.pi, 2 * np.pi) - np.pi,
            "np.fmod gives negative sums a negative remainder. % (np.mod) has the sign of the "
            "divisor, as you need it.",
        ),
        Mistake(
            lambda first, second: np.clip(first + second, -np.pi, np.pi),
            "You cut off what is beyond half a turn. A turn of 200° is one of -160°, not one of "
            "180°: take away whole turns.",
        ),
    ),
    hints=(
        "e^(iα) e^(iβ) = e^(i(α + β)): angles add up. Then take away whole turns of 2π.",
        "x % (2π) lies in [0, 2π). Which shift, before and after, makes [-π, π) of it?",
        "return (first + second + np.pi) % (2 * np.pi) - np.pi",
    ),
)

# --- self-adversarial weights --------------------------------------------------------------------


def self_adversarial_weights(negative: Array, temperature: float) -> Array:
    """Return the weights (B, N) of negatives by their scores (B, N), each row of sum 1."""
    return ref.SelfAdversarialLoss(temperature=temperature).weights(negative)


def _weights_variant(
    scaled: Callable[[Array, float], Array] = lambda s, temperature: temperature * s,
    axis: int | None = -1,
    off: Callable[[Array], Array | float] = lambda z: z.max(axis=-1, keepdims=True),
):
    """Return the weights with something changed: the temperature, the axis, what is taken off."""

    def weigh(negative, temperature):
        with np.errstate(all="ignore"):
            z = scaled(negative, temperature)
            exponentials = np.exp(z - off(z))
            return exponentials / exponentials.sum(axis=axis, keepdims=True)

    return weigh


def _far_apart(rng: np.random.Generator) -> Array:
    """Draw one row of low, one of high and one of low and high scores (3, 4)."""
    centres = np.array([[-1, -1, -1, -1], [1, 1, 1, 1], [-1, 1, 1, 1]])
    return 1e4 * centres + rng.normal(size=centres.shape)


SELF_ADVERSARIAL_WEIGHTS = Exercise(
    name="knowledge_graph.self_adversarial_weights",
    title="Self-adversarial weights",
    points=1,
    stars=1,
    reference=self_adversarial_weights,
    cases=lambda rng: [
        Case((rng.normal(size=(7, 5)), 0.5)),
        Case((3 * rng.normal(size=(3, 11)), 2.0)),
        Case((1e4 + rng.normal(size=(2, 3)), 1.0), note="scores around 10,000"),
        Case((-1e4 + rng.normal(size=(5, 2)), 1.0), note="scores around -10,000"),
        Case((_far_apart(rng), 1.0), note="scores from -10,000 to 10,000"),
        Case((rng.normal(size=(1, 1)), 1.0), note="one negative"),
    ],
    mistakes=(
        Mistake(
            _weights_variant(off=lambda z: 0.0),
            "e to the power of a large score overflowed, or of a very low one became 0. Subtract "
            "the row's maximum first: the weights stay the same.",
        ),
        Mistake(
            _weights_variant(off=np.max),
            "You subtracted the maximum of the whole array: in a row far below it every e to the "
            "power of z is 0, and 0 / 0 follows. Each row has a maximum of its own: axis=-1, "
            "keepdims=True.",
        ),
        Mistake(
            _weights_variant(lambda s, temperature: s / temperature),
            "You divided by the temperature. In this loss it multiplies the scores: α s, so that "
            "α = 0 weighs all alike.",
        ),
        Mistake(
            _weights_variant(lambda s, temperature: s),
            "The temperature is missing: softmax of α s.",
        ),
        Mistake(
            _weights_variant(lambda s, temperature: -temperature * s),
            "Yours prefer the low scores. The hard negatives are those that the model likes, with "
            "high scores.",
        ),
        Mistake(
            _weights_variant(axis=0),
            "You normalised over the facts; each fact shares out 1 among its own negatives: the "
            "last axis.",
        ),
        Mistake(
            _weights_variant(axis=None),
            "You normalised over the whole array; each row has the sum 1.",
        ),
    ),
    hints=(
        "It is a softmax along each row, of the scores times the temperature.",
        "softmax(z) = softmax(z - c) for any c: take the row's maximum, and nothing overflows.",
        "z = temperature * negative; e = np.exp(z - z.max(axis=1, keepdims=True)); "
        "return e / e.sum(axis=1, keepdims=True)",
    ),
)

# --- rules ---------------------------------------------------------------------------------------


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

# --- two hops ------------------------------------------------------------------------------------


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

# --- a project: complete a graph -----------------------------------------------------------------

REQUIRED_GAIN = 0.07
"""In MRR over the rules on the same questions: how hard they are depends on the split.

Over 24 splits the chapter's ComplEx gained 0.013 ± 0.008 and the answer of the solutions
0.117 ± 0.012 (mean and standard deviation): the bar is four of these away, or more.
"""
BY_CHANCE = 0.05
"""Above what guessing reaches, and below anything that has learnt."""
BY_HEART = 0.99
"""On facts of the training set: more than any model reaches there with a penalty worth having."""
_BY_CHANCE_MESSAGE = (
    f"The filtered MRR on the hidden facts is below {BY_CHANCE}: that is guessing. The model is "
    "untrained, or was trained on another graph (here all entities have other numbers), or to "
    "nothing (a penalty that is too large does that), or its large scores are the bad ones."
)
HIDDEN = 0.2
"""The share of the facts that the answer is judged on: with more of them, luck matters less."""


def complete_graph(graph: KnowledgeGraph, seed: int) -> ScoreFunction:
    """Return score(sources (B,), relations (B,)) -> scores (B, E), relations in [0, 2R)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    from .experiments.new_entities import texts_of
    from .experiments.results import CLDR_SETTINGS, baselines
    from .experiments.training import torch_scores, train

    settings = dataclasses.replace(CLDR_SETTINGS["ComplEx"], seed=seed)
    model = torch_scores(train(settings, graph, progress=False).model)
    rules = baselines(graph)["rules"]
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    names = pieces.fit_transform(texts_of(graph.entities, graph.titles))
    _, kinds = np.unique(graph.kinds, return_inverse=True)
    _, asked, answers = graph.questions("train").T
    fits = np.zeros((2 * graph.num_relations, kinds.max() + 1))
    fits[asked, kinds[answers]] = 1

    def score(sources: Array, relations: Array) -> Array:
        believed = np.log(rules(sources, relations) + 0.001)
        alike = (names[sources] @ names.T).toarray()
        alike[np.arange(len(sources)), sources] = 0  # nobody is the answer to itself
        fitting = fits[relations][:, kinds]
        return model(sources, relations) + believed + 10 * alike + 10 * fitting

    return score


def _complete_graph_cases(rng: np.random.Generator) -> list[Case]:
    graph = load_cldr_graph(seed=int(rng.integers(10_000)), test_fraction=HIDDEN)
    visible = _visible(_renumbered(graph, rng.permutation(graph.num_entities)))
    return [Case((visible, int(rng.integers(10_000))), note="a fifth of CLDR's facts is hidden")]


def _renumbered(graph: KnowledgeGraph, order: Array) -> KnowledgeGraph:
    """Return the graph with entity order[i] in place i.

    What was trained in the chapter, on many of the facts that are hidden here, knows the entities
    by their old numbers, and is of no use.
    """
    place = np.argsort(order)

    def renumbered(facts: Array) -> Array:
        h, r, t = facts.T
        return np.stack([place[h], r, place[t]], axis=1)

    labels = ("entities", "titles", "kinds")
    parts = ("train", "valid", "test")
    return dataclasses.replace(
        graph,
        **{name: tuple(np.array(getattr(graph, name))[order].tolist()) for name in labels},
        **{name: renumbered(getattr(graph, name)) for name in parts},
    )


def _visible(graph: KnowledgeGraph) -> KnowledgeGraph:
    """Return the graph without its test facts: half of the validation facts take their place."""
    middle = len(graph.valid) // 2
    return dataclasses.replace(graph, valid=graph.valid[:middle], test=graph.valid[middle:])


def _whole(visible: KnowledgeGraph) -> KnowledgeGraph:
    """Return the graph with the facts that it lacks of CLDR's as its test part."""
    graph = load_cldr_graph()
    number = {name: i for i, name in enumerate(graph.entities)}
    whole = _renumbered(graph, np.array([number[name] for name in visible.entities]))
    shown = set(map(tuple, visible.facts.tolist()))
    hidden = [fact for fact in whole.facts.tolist() if tuple(fact) not in shown]
    valid = np.concatenate((visible.valid, visible.test))
    return dataclasses.replace(visible, valid=valid, test=np.array(hidden))


def judge_scores(case: Case, answer: ScoreFunction) -> str | None:
    """Say what is wrong with a score function on the facts it has not seen, None if it is fine."""
    from .experiments.results import baselines

    if not callable(answer):
        return (
            "Return a function score(sources, relations) that takes two arrays (B,) of integers "
            "and returns the scores (B, E) of all entities."
        )
    visible = case.args[0]
    graph = _whole(visible)
    index = ref.FactIndex(graph.facts, graph.num_entities, graph.num_relations)
    hidden = graph.questions("test")
    some = answer(*hidden[:3, :2].T)
    if not isinstance(some, np.ndarray) or some.shape != (3, graph.num_entities):
        return (
            f"For 3 questions score must return a NumPy array of shape (3, {graph.num_entities}), "
            "a score for each entity; a tensor becomes one by .numpy(), as `torch_scores` does."
        )

    def mrr(score: ScoreFunction, questions: Array) -> float:
        return ref.evaluate(score, questions, index).metrics().mrr

    found = mrr(_without_linked(answer, visible), hidden)
    if found < BY_CHANCE:
        return _BY_CHANCE_MESSAGE
    by_rules = mrr(_without_linked(baselines(visible)["rules"], visible), hidden)
    if found >= by_rules + REQUIRED_GAIN:
        return None
    verdict = (
        f"The filtered MRR on the hidden facts is {found:.3f}. The chapter's rules have "
        f"{by_rules:.3f}, and you should be at least {REQUIRED_GAIN} above them."
    )
    by_heart = mrr(answer, visible.questions("train")[::7])
    if by_heart > BY_HEART:
        verdict += (
            f" On the facts that it was given it has {by_heart:.3f}: it learnt them by heart. Hold "
            "it back by a penalty."
        )
    return verdict


def _without_linked(score: ScoreFunction, graph: KnowledgeGraph) -> ScoreFunction:
    """Take the entities that training links to the source out of the candidates.

    On a careful split they are never right, which is no knowledge of the world: nobody is to gain
    by it.
    """
    linked = np.zeros((graph.num_entities, graph.num_entities), dtype=bool)
    linked[graph.train[:, 0], graph.train[:, 2]] = True
    linked |= linked.T
    return lambda sources, relations: np.where(linked[sources], -np.inf, score(sources, relations))


def _popular(graph: KnowledgeGraph, seed: int) -> ScoreFunction:
    return ref.Popularity.of(graph.train, graph.num_entities, graph.num_relations)


def _rules(graph: KnowledgeGraph, seed: int) -> ScoreFunction:
    from .experiments.results import baselines

    return baselines(graph)["rules"]


def _untrained(graph: KnowledgeGraph, seed: int) -> ScoreFunction:
    model = ref.ComplEx(graph.num_entities, graph.num_relations, 8)
    params = model.init(np.random.default_rng(seed))
    return lambda sources, relations: model.forward(params, sources, relations)[0]


COMPLETE_GRAPH = Exercise(
    name="knowledge_graph.complete_graph",
    title="Project: complete the graph",
    points=5,
    gradable=False,
    stars=3,
    reference=complete_graph,
    cases=_complete_graph_cases,
    mistakes=(
        Mistake(
            _popular,
            "These are the most popular answers of each relation. As a baseline they are hard to "
            "beat, but they name the same currency for every country: the source must count.",
        ),
        Mistake(
            _rules,
            "These are the chapter's rules, the line to beat: as good as any of its models alone. "
            "Let a model have a say as well.",
        ),
        Mistake(_untrained, _BY_CHANCE_MESSAGE),
    ),
    hints=(
        "One model alone hardly gets there. Take two that err differently, a ComplEx and the rules "
        "(`baselines(graph)` from bigmodel_edu.knowledge_graph.experiments.results), and add up "
        "their opinions: logits can be added as they are, a confidence by its logarithm.",
        "What has nobody looked at yet? The names: *Danish* and *Denmark* share pieces. "
        'TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5)) of `graph.titles`, or of '
        "`texts_of` from bigmodel_edu.knowledge_graph.experiments.new_entities, makes rows of "
        "them, and the products of rows say how alike two names are. And the kinds: which "
        '`graph.kinds` do the answers to a relation have in graph.questions("train")?',
        "logits of ComplEx + np.log(rules(sources, relations) + 0.001) + 10 * alike + 10 * fits, "
        "where alike (B, E) is (names[sources] @ names.T).toarray(), with a 0 for the source "
        "itself, and fits (B, E) is 1 for the kinds that answer the relation. How much each should "
        'count, evaluate(score, graph.questions("valid"), index) says.',
    ),
    judge=judge_scores,
)

EXERCISES: tuple[Exercise, ...] = (
    FILTERED_RANK,
    RANKING_METRICS,
    LEAKS,
    TRANSE_SCORE,
    COMPLEX_SCORE,
    TURN_BACK,
    COMPOSE,
    MARGIN_GRADIENT,
    BERNOULLI,
    SELF_ADVERSARIAL_WEIGHTS,
    RULE_CONFIDENCE,
    TWO_HOP,
    COMPLETE_GRAPH,
)
