"""Ranks and metrics worked by hand, ties, filters, and what cannot be ranked."""

import time

import numpy as np
import pytest

from bigmodel_edu.errors import BookError, DTypeError, IdError, LabelError, ShapeError
from bigmodel_edu.knowledge_graph.reference import (
    FactIndex,
    adjusted_mean_rank_index,
    evaluate,
    rank_metrics,
    ranks,
)

NONE = (np.zeros(0, int), np.zeros(0, int))


def three(scores, target, known=NONE):
    """Optimistic, pessimistic and realistic rank of one question."""
    found = ranks(np.array([scores]), np.array([target]), known)
    return found.optimistic[0], found.pessimistic[0], found.realistic[0]


# Ranks by hand


def test_ranks_by_hand():
    scores = [0.1, 0.9, 0.5, 0.9, 0.3]
    assert three(scores, 1) == (1, 2, 1.5)
    assert three(scores, 2) == (3, 3, 3)
    assert three(scores, 0) == (5, 5, 5)


def test_known_answers_are_left_out():
    scores = [0.1, 0.9, 0.5, 0.9, 0.3]
    assert three(scores, 2, (np.array([0]), np.array([3]))) == (2, 2, 2)
    assert three(scores, 1, (np.array([0]), np.array([3]))) == (1, 1, 1)  # a tie less
    assert three(scores, 2, (np.array([0]), np.array([0]))) == (3, 3, 3)  # it was below


def test_the_target_may_be_among_the_known_and_a_known_one_twice():
    known = np.zeros(4, int), np.array([3, 2, 3, 3])
    found = ranks(np.array([[0.1, 0.9, 0.5, 0.9, 0.3]]), np.array([2]), known)
    assert (found.optimistic, found.pessimistic, found.candidates) == (2, 2, 4)


def test_known_answers_of_one_question_do_not_count_for_another():
    scores = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    found = ranks(scores, np.array([2, 2]), (np.array([1, 1]), np.array([0, 1])))
    np.testing.assert_array_equal(found.realistic, [3, 1])
    np.testing.assert_array_equal(found.candidates, [3, 1])


def test_a_constant_score_is_perfect_for_the_optimist_only():
    assert three([0.0] * 101, 7) == (1, 101, 51)


def test_infinite_scores_have_ranks():
    assert three([-np.inf, -np.inf, 0.0, np.inf], 0) == (3, 4, 3.5)
    assert three([-np.inf, -np.inf, 0.0, np.inf], 0, (np.zeros(2, int), np.array([1, 3]))) == (
        2,
        2,
        2,
    )
    assert three([-np.inf, -np.inf, 0.0, np.inf], 3) == (1, 1, 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ranks_leave_the_scores_alone(dtype):
    scores = np.random.default_rng(0).normal(size=(5, 11)).astype(dtype)
    before = scores.copy()
    known = np.array([0, 3]), np.array([4, 4])
    ranks(scores, np.array([1, 2, 3, 4, 5]), known)
    np.testing.assert_array_equal(scores, before)


# Metrics by hand


def test_metrics_by_hand():
    metrics = rank_metrics(np.array([1, 2, 4, 20]))
    assert metrics.mean_rank == 27 / 4
    assert metrics.mrr == pytest.approx((1 + 1 / 2 + 1 / 4 + 1 / 20) / 4, rel=1e-15)
    assert (metrics.hits_at_1, metrics.hits_at_3, metrics.hits_at_10) == (1 / 4, 1 / 2, 3 / 4)


def test_a_rank_between_one_and_two_is_no_hit_at_one():
    assert rank_metrics(np.array([1.5])).hits_at_1 == 0
    assert rank_metrics(np.array([1.5])).hits_at_3 == 1


def test_adjusted_mean_rank_index_by_hand():
    candidates = np.array([11, 21])  # by chance 6 and 11
    assert adjusted_mean_rank_index(np.array([1, 1]), candidates) == 1
    assert adjusted_mean_rank_index(np.array([6, 11]), candidates) == 0
    assert adjusted_mean_rank_index(np.array([11, 21]), candidates) == -1
    with pytest.raises(BookError, match="one candidate only"):
        adjusted_mean_rank_index(np.array([1]), np.array([1]))


@pytest.mark.parametrize("bad", [0, -1, np.nan])
def test_metrics_of_what_is_no_rank(bad):
    with pytest.raises(BookError, match=r"ranks holds .*, expected ranks of 1 or more"):
        rank_metrics(np.array([2.0, bad]))
    with pytest.raises(ShapeError, match="ranks is empty"):
        rank_metrics(np.zeros(0))


# Evaluation

E, R = 13, 3
FACTS = np.random.default_rng(0).integers([E, R, E], size=(41, 3))
INDEX = FactIndex(FACTS, E, R)
QUESTIONS = np.concatenate((FACTS[:17], FACTS[:17, ::-1] + [0, R, 0]))
TABLE = np.round(2 * np.random.default_rng(1).normal(size=(E, 2 * R, E)))


def score(sources, relations):
    return TABLE[sources, relations]


def rank_by_sorting(source, relation, target, tie):
    """The rank with the answer before or after all its equals, by a stable sort."""
    others = set(FACTS[(FACTS[:, 0] == source) & (FACTS[:, 1] == relation), 2]) | set(
        FACTS[(FACTS[:, 2] == source) & (FACTS[:, 1] + R == relation), 0]
    )
    candidates = [e for e in range(E) if e == target or e not in others]
    side = -1 if tie == "optimistic" else 1
    key = {e: (-TABLE[source, relation, e], side * (e == target)) for e in candidates}
    return 1 + sorted(candidates, key=key.get).index(target)


@pytest.mark.parametrize("batch_size", [1, 7, 34, 100])
def test_evaluation_by_sorting(batch_size):
    evaluation = evaluate(score, QUESTIONS, INDEX, batch_size)
    assert len(evaluation) == len(QUESTIONS)
    for tie in ("optimistic", "pessimistic"):
        expected = [rank_by_sorting(*question, tie) for question in QUESTIONS.tolist()]
        np.testing.assert_array_equal(getattr(evaluation.ranks, tie), expected)
        assert evaluation.metrics(tie) == rank_metrics(np.array(expected))
    assert evaluation.metrics() == rank_metrics(evaluation.ranks.realistic)
    assert (evaluation.ranks.optimistic < evaluation.ranks.pessimistic).any()


def test_evaluation_by_side_and_relation():
    evaluation = evaluate(score, QUESTIONS, INDEX)
    sides = evaluation.by_side()
    assert list(sides) == ["tail", "head"]
    np.testing.assert_array_equal(sides["tail"].questions, QUESTIONS[:17])
    np.testing.assert_array_equal(sides["head"].ranks.realistic, evaluation.ranks.realistic[17:])
    whole = evaluation.metrics().mrr
    assert np.mean([side.metrics().mrr for side in sides.values()]) == pytest.approx(whole)
    relations = evaluation.by_relation()
    assert set(relations) == set(FACTS[:17, 1].tolist())
    assert sum(len(part) for part in relations.values()) == 34
    assert all(len(part.by_side()) == 2 for part in relations.values())
    assert list(evaluate(score, QUESTIONS[:3], INDEX).by_side()) == ["tail"]


def test_one_relation_with_one_fact():
    facts = np.array([[0, 0, 1]])
    found = evaluate(lambda s, r: np.eye(2)[1 - s], facts, FactIndex(facts, 2, 1))
    assert found.metrics().mrr == 1
    assert len(found.by_relation()[0]) == 1


def test_scores_of_nan_name_the_question():
    def broken(sources, relations):
        scores = score(sources, relations)
        scores[(sources == QUESTIONS[9, 0]) & (relations == QUESTIONS[9, 1]), 4] = np.nan
        return scores

    source, relation, _ = QUESTIONS[9]
    with pytest.raises(BookError, match=rf"\(source {source}, relation {relation}\) is NaN"):
        evaluate(broken, QUESTIONS, INDEX, 5)


def test_a_nan_outside_an_evaluation():
    with pytest.raises(BookError, match=r"scores\[1\] holds a NaN"):
        ranks(np.array([[1.0, 2.0], [np.nan, 1.0]]), np.array([0, 1]))


def test_scores_of_another_shape():
    with pytest.raises(ShapeError, match=r"scores has shape \(34, 12\), expected \(34, 13\)"):
        evaluate(lambda s, r: score(s, r)[:, 1:], QUESTIONS, INDEX)
    with pytest.raises(ShapeError, match=r"questions is empty"):
        evaluate(score, QUESTIONS[:0], INDEX)
    with pytest.raises(ShapeError, match=r"targets has shape \(3,\), expected \(2,\)"):
        ranks(np.zeros((2, 5)), np.zeros(3, int))


def test_what_is_no_number_of_an_entity():
    with pytest.raises(IdError, match=r"targets\[0\] is 13"):
        evaluate(score, np.array([[0, 0, E]]), INDEX)
    with pytest.raises(IdError, match=r"relations\[0\] is 6"):
        evaluate(score, np.array([[0, 2 * R, 0]]), INDEX)
    with pytest.raises(LabelError, match=r"targets\[0\] is 5"):
        ranks(np.zeros((1, 5)), np.array([5]))
    with pytest.raises(DTypeError, match="floating-point"):
        ranks(np.zeros((1, 5), int), np.array([0]))


def test_evaluation_is_fast():
    """A twentieth of WN18RR's test: 6,268 questions × 40,943 entities."""
    rng = np.random.default_rng(0)
    facts = rng.integers([40_943, 11, 40_943], size=(20_000, 3))
    scores = rng.normal(size=(128, 40_943)).astype(np.float32)
    began = time.process_time()
    evaluate(lambda s, r: scores[: len(s)], facts[:313], FactIndex(facts, 40_943, 11))
    assert time.process_time() - began < 3
