"""Negatives by what they must be and how often; Bernoulli sampling."""

import time

import numpy as np
import pytest

from bigmodel_edu.errors import BookError, HyperparameterError, IdError
from bigmodel_edu.knowledge_graph.reference import (
    FactIndex,
    bernoulli_head_probability,
    bernoulli_questions,
    filtered_negatives,
    uniform_negatives,
)

E, R = 11, 3


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def facts(rng):
    return rng.integers([E, R, E], size=(97, 3))  # some of them twice


def known_answers(facts):
    """Answers of every question, by a dictionary of sets."""
    answers = {}
    for head, relation, tail in facts.tolist():
        answers.setdefault((head, relation), set()).add(tail)
        answers.setdefault((tail, relation + R), set()).add(head)
    return answers


# Negatives


def test_uniform_negatives_are_all_entities_but_the_target(rng):
    questions = np.array([[0, 0, 4], [0, 0, 0], [0, 0, E - 1]])
    drawn = uniform_negatives(rng, questions, E, 20_000)
    assert drawn.shape == (3, 20_000)
    for row, target in zip(drawn, questions[:, 2], strict=True):
        counts = np.bincount(row, minlength=E)
        assert counts[target] == 0
        assert len(counts) == E
        others = np.delete(counts, target)
        np.testing.assert_allclose(others, 2000, atol=5 * np.sqrt(2000))


def test_filtered_negatives_are_uniform_over_wrong_answers(rng):
    """Question (0, 0) has the answers 0, 3, 4, 5, 10, of which 3 was asked for."""
    answers = np.array([0, 3, 4, 5, 10])
    facts = np.array([[0, 0, t] for t in answers] + [[1, 0, 2], [0, 1, 6]])
    index = FactIndex(facts, E, R)
    questions = np.array([[0, 0, 3], [1, 0, 2]])
    drawn = filtered_negatives(rng, questions, uniform_negatives(rng, questions, E, 30_000), index)
    counts = np.bincount(drawn[0], minlength=E)
    assert not counts[answers].any()
    np.testing.assert_allclose(np.delete(counts, answers), 5000, atol=5 * np.sqrt(5000))
    np.testing.assert_allclose(
        np.delete(np.bincount(drawn[1], minlength=E), 2), 3000, atol=5 * np.sqrt(3000)
    )


def test_filtering_changes_true_negatives_only(rng, facts):
    index = FactIndex(facts, E, R)
    questions = np.concatenate((facts, facts[:, ::-1] + [0, R, 0]))
    drawn = uniform_negatives(rng, questions, E, 13)
    before = drawn.copy()
    filtered = filtered_negatives(rng, questions, drawn, index)
    np.testing.assert_array_equal(drawn, before)
    answers = known_answers(facts)
    asked = [answers[s, r] for s, r, _ in questions.tolist()]
    was_true = np.array(
        [[t in known for t in row] for known, row in zip(asked, drawn.tolist(), strict=True)]
    )
    assert 0 < was_true.sum() < was_true.size
    np.testing.assert_array_equal(filtered[~was_true], drawn[~was_true])
    for known, row in zip(asked, filtered.tolist(), strict=True):
        assert known.isdisjoint(row)


def test_the_only_wrong_entity_is_found_at_once(rng):
    facts = np.array([[0, 0, t] for t in range(E) if t != 7])
    index = FactIndex(facts, E, R)
    drawn = filtered_negatives(rng, facts, uniform_negatives(rng, facts, E, 19), index)
    assert (drawn == 7).all()


def test_a_question_to_which_every_answer_is_right(rng):
    index = FactIndex(np.array([[2, 1, t] for t in range(E)]), E, R)
    questions = np.array([[0, 0, 1], [2, 1, 4]])
    with pytest.raises(BookError, match=r"every entity is a known answer .*source 2, relation 1\)"):
        filtered_negatives(rng, questions, uniform_negatives(rng, questions, E, 5), index)


def test_one_entity_has_no_negatives(rng):
    with pytest.raises(HyperparameterError, match="num_entities is 1, expected 2 or more"):
        uniform_negatives(rng, np.zeros((2, 3), int), 1, 5)


def test_negatives_repeat_with_their_seed(facts):
    first, second = (uniform_negatives(np.random.default_rng(7), facts, E, 5) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_negatives_are_cheap(rng):
    """An eighth of what an epoch of WN18RR needs: 86,835 facts with 256 negatives each."""
    facts = rng.integers([40_943, 11, 40_943], size=(86_835, 3))
    index = FactIndex(facts, 40_943, 11)
    began = time.process_time()
    for start in range(0, len(facts) // 8, 1024):
        batch = facts[start : start + 1024]
        filtered_negatives(rng, batch, uniform_negatives(rng, batch, 40_943, 256), index)
    assert time.process_time() - began < 5


# Bernoulli


def test_bernoulli_by_hand():
    """Relation 0: heads 0, 1, 2, 3 to the tail 5, and (0, 6). tph = 5/4, hpt = 5/2: 1/3."""
    facts = np.array([[0, 0, 5], [1, 0, 5], [2, 0, 5], [3, 0, 5], [0, 0, 6], [0, 1, 1], [0, 1, 2]])
    probability = bernoulli_head_probability(facts, 3)
    np.testing.assert_allclose(probability, [1 / 3, 2 / 3, 1 / 2], rtol=1e-15)


def test_bernoulli_by_averages(facts):
    tph_hpt = np.empty((R, 2))
    for r in range(R):
        pairs = {(h, t) for h, q, t in facts.tolist() if q == r}
        tph_hpt[r] = [len(pairs) / len({pair[side] for pair in pairs}) for side in (0, 1)]
    tph, hpt = tph_hpt.T
    np.testing.assert_allclose(bernoulli_head_probability(facts, R), tph / (tph + hpt), rtol=1e-14)


def test_bernoulli_questions_are_the_two_of_each_fact(rng):
    facts = np.tile([[3, 0, 4], [5, 2, 6]], (20_000, 1))
    questions = bernoulli_questions(rng, facts, np.array([0.25, 0.5, 0.9]))
    for start, p, head_question in ((0, 0.25, [4, 3, 3]), (1, 0.9, [6, 5, 5])):
        asked = questions[start::2]
        for_head = (asked == head_question).all(axis=1)
        assert (asked[~for_head] == facts[start]).all()
        assert for_head.mean() == pytest.approx(p, abs=5 * np.sqrt(p * (1 - p) / 20_000))


def test_bernoulli_of_facts_outside_the_relations(rng):
    with pytest.raises(IdError, match="the inverse of a relation"):
        bernoulli_head_probability(np.array([[0, 4, 1]]), 3)
    with pytest.raises(IdError, match="the inverse of a relation"):
        bernoulli_questions(rng, np.array([[0, 4, 1]]), np.full(3, 0.5))
