"""Ranking: where among all entities does the answer stand, other right answers left out?"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from bigmodel_edu.errors import BookError
from bigmodel_edu.layer import (
    Array,
    expect_count,
    expect_floats,
    expect_integers,
    expect_labels,
    expect_shape,
)

from .facts import FactIndex, batches
from .questions import expect_entities

Tie = Literal["realistic", "optimistic", "pessimistic"]
ScoreFunction = Callable[[Array, Array], Array]
HITS = (1, 3, 10)


@dataclass(frozen=True)
class Ranks:
    """The ranks (B,) of B answers among their candidates, 1 being the best.

    Candidates with the very score of the answer are a tie. The optimistic rank takes the answer for
    the first of them, the pessimistic for the last; the realistic is the mean of the two, what
    breaking ties at random gives on average (Berrendorf et al. 2020). A model that scores all
    entities alike is perfect by the optimistic rank, which is why it must not be reported alone
    (Sun et al. 2020).
    """

    optimistic: Array
    pessimistic: Array
    candidates: Array  # how many were ranked, the answer among them

    @property
    def realistic(self) -> Array:
        """Return the means of the optimistic and the pessimistic ranks, which may be halves."""
        return (self.optimistic + self.pessimistic) / 2

    def __len__(self) -> int:
        return len(self.optimistic)

    def __getitem__(self, which: Array | slice) -> "Ranks":
        """Return the ranks of some answers: a mask, integers or a slice."""
        return Ranks(self.optimistic[which], self.pessimistic[which], self.candidates[which])


def ranks(scores: Array, targets: Array, known: tuple[Array, Array] | None = None) -> Ranks:
    """Return the ranks of the targets (B,) by the scores (B, E), larger being better.

    `known` are rows and columns (A,) of answers that are right as well: they are no candidates, the
    targets themselves always are ("filtered", Bordes et al. 2013). To be above is to
    be larger: counting needs no sorting, and what the known ones add is taken off again, so that
    the scores stay as they are.
    """
    expect_floats("scores", scores)
    expect_shape("scores", scores, "B", "E")
    n, num_entities = scores.shape
    expect_shape("targets", targets, n)
    expect_labels("targets", targets, num_entities)
    if (row := _row_with_nan(scores)) is not None:
        raise BookError(
            f"scores[{row}] holds a NaN, expected a number for every entity, since a NaN has no "
            "rank; look at what the model returned."
        )
    own = scores[np.arange(n, like=scores), targets]
    above = np.count_nonzero(scores > own[:, None], axis=1)
    level = np.count_nonzero(scores == own[:, None], axis=1)  # the target among them
    candidates = np.full_like(above, num_entities)
    if known is not None:
        rows, columns = _others(known, targets, num_entities)
        of_known, to_beat = scores[rows, columns], own[rows]
        above -= np.bincount(rows[of_known > to_beat], minlength=n)
        level -= np.bincount(rows[of_known == to_beat], minlength=n)
        candidates -= np.bincount(rows, minlength=n)
    return Ranks(above + 1, above + level, candidates)


@dataclass(frozen=True)
class RankMetrics:
    """Ranks in a few numbers: mean rank, mean reciprocal rank, and the share up to 1, 3 and 10."""

    mean_rank: float
    mrr: float
    hits_at_1: float
    hits_at_3: float
    hits_at_10: float

    def as_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)


def rank_metrics(ranks: Array) -> RankMetrics:
    """Return the metrics of ranks (n,). A rank of 1.5 is no hit at 1."""
    expect_shape("ranks", ranks, "n")
    if not (ranks >= 1).all():
        raise BookError(
            f"ranks holds {ranks[~(ranks >= 1)][0]}, expected ranks of 1 or more; give what "
            "`ranks` returns, not scores or positions from 0."
        )
    hits = (float((ranks <= k).mean()) for k in HITS)
    return RankMetrics(float(ranks.mean()), float((1 / ranks).mean()), *hits)


def adjusted_mean_rank_index(ranks: Array, candidates: Array) -> float:
    """Return 1 - (MR - 1) / (MR of chance - 1): 1 is perfect, 0 is chance, below is worse.

    By chance the rank among c candidates is (c + 1) / 2. Unlike the mean rank it can be compared
    between graphs of different size (Berrendorf et al. 2020). Shapes: both (n,).
    """
    expect_shape("ranks", ranks, "n")
    expect_shape("candidates", candidates, len(ranks))
    by_chance = (candidates - 1).mean() / 2
    if by_chance == 0:
        raise BookError(
            "every question has one candidate only, expected at least two for some: where there is "
            "nothing to choose from, chance is as good as any model."
        )
    return float(1 - (ranks.mean() - 1) / by_chance)


@dataclass(frozen=True)
class Evaluation:
    """The ranks of the answers of n questions, to be averaged over all or some of them."""

    questions: Array  # (n, 3): source, relation in [0, 2R), target
    ranks: Ranks
    num_relations: int

    def __len__(self) -> int:
        return len(self.questions)

    def metrics(self, tie: Tie = "realistic") -> RankMetrics:
        """Return the metrics, ties counted as asked for."""
        return rank_metrics(getattr(self.ranks, tie))

    def adjusted_mean_rank_index(self) -> float:
        """Return it for the realistic ranks."""
        return adjusted_mean_rank_index(self.ranks.realistic, self.ranks.candidates)

    def where(self, which: Array) -> "Evaluation":
        """Return the evaluation of some questions: a mask (n,), or their numbers."""
        return Evaluation(self.questions[which], self.ranks[which], self.num_relations)

    def by_side(self) -> dict[str, "Evaluation"]:
        """Return the evaluations of the questions for tails and for heads, those there are."""
        for_head = self.questions[:, 1] >= self.num_relations
        sides = {"tail": ~for_head, "head": for_head}
        return {side: self.where(which) for side, which in sides.items() if which.any()}

    def by_relation(self) -> dict[int, "Evaluation"]:
        """Return the evaluations by relation in [0, R), both sides together."""
        relations = self.questions[:, 1] % self.num_relations
        return {int(r): self.where(relations == r) for r in np.unique(relations)}


def evaluate(
    score: ScoreFunction, questions: Array, index: FactIndex, batch_size: int = 128
) -> Evaluation:
    """Rank the targets of questions (n, 3) among all entities, the other known answers left out.

    `score(sources (B,), relations (B,))` returns scores (B, E), of a model or of anything else; the
    index should hold all known facts: those of training, validation and test.

    Raises:
        BookError: a score is NaN; names the question.
    """
    expect_shape("questions", questions, "n", 3)
    expect_count("batch_size", batch_size)
    expect_integers("questions", questions, "numbers of entities and relations")
    expect_entities("targets", questions[:, 2], index.num_entities)
    parts = [
        _ranks_of(score, questions[batch], index) for batch in batches(len(questions), batch_size)
    ]
    joined = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("optimistic", "pessimistic", "candidates")
    )
    return Evaluation(questions, Ranks(*joined), index.num_relations)


def _ranks_of(score: ScoreFunction, questions: Array, index: FactIndex) -> Ranks:
    """Return the ranks of the targets of one batch of questions."""
    sources, relations, targets = questions.T
    known = index.answers(sources, relations)
    scores = score(sources, relations)
    expect_shape("scores", scores, len(questions), index.num_entities)
    if (row := _row_with_nan(scores)) is not None:
        raise BookError(
            f"a score of the question (source {sources[row]}, relation {relations[row]}) is NaN, "
            "expected a number for every entity, since a NaN has no rank; look at what the model "
            "returned."
        )
    return ranks(scores, targets, known)


def _others(known: tuple[Array, Array], targets: Array, num_entities: int) -> tuple[Array, Array]:
    """Return rows and columns of the known answers, each once and without the targets."""
    keys = np.unique(known[0] * num_entities + known[1])
    rows, columns = keys // num_entities, keys % num_entities
    is_other = columns != targets[rows]
    return rows[is_other], columns[is_other]


def _row_with_nan(scores: Array) -> int | None:
    """Return the first row that holds a NaN, or None."""
    rows = np.flatnonzero(np.isnan(scores.max(axis=1)))  # a NaN is larger than any number
    return int(rows[0]) if len(rows) else None
