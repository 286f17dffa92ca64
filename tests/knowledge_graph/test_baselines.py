"""Popularity as a baseline."""

import numpy as np
import pytest

from bigmodel_edu.errors import IdError
from bigmodel_edu.knowledge_graph.reference import FactIndex, Popularity, evaluate

E, R = 13, 3
FACTS = np.random.default_rng(0).integers([E, R, E], size=(41, 3))
INDEX = FactIndex(FACTS, E, R)
QUESTIONS = np.concatenate((FACTS[:17], FACTS[:17, ::-1] + [0, R, 0]))


def test_popularity_counts_answers_of_the_relation():
    facts = np.array([[0, 0, 2], [1, 0, 2], [1, 0, 3], [2, 1, 3]])
    baseline = Popularity.of(facts, 5, 2)
    scores = baseline(np.array([4, 0, 0, 0]), np.array([0, 1, 2, 3]))
    np.testing.assert_array_equal(
        scores, [[0, 0, 2, 1, 0], [0, 0, 0, 1, 0], [1, 2, 0, 0, 0], [0, 0, 1, 0, 0]]
    )


def test_degree_breaks_ties_and_no_more():
    facts = np.array([[0, 0, 2], [1, 0, 3], [3, 1, 4], [3, 1, 0], [1, 0, 2]])
    plain = Popularity.of(facts, 6, 2)(np.array([0]), np.array([0]))[0]
    by_degree = Popularity.of(facts, 6, 2, by_degree=True)(np.array([0]), np.array([0]))[0]
    np.testing.assert_array_equal(plain, [0, 0, 2, 1, 0, 0])
    assert list(np.argsort(-by_degree)[:2]) == [2, 3]
    assert by_degree[0] == by_degree[1] > by_degree[4] > by_degree[5] == 0
    np.testing.assert_array_equal(np.floor(by_degree), plain)


def test_popularity_can_be_evaluated():
    baseline = Popularity.of(FACTS, E, R)
    assert evaluate(baseline, QUESTIONS, INDEX).adjusted_mean_rank_index() > 0
    with pytest.raises(IdError, match="relation from 0 to 2"):
        baseline(np.array([0]), np.array([6]))
