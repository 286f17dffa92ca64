"""The index of facts, against sets of tuples."""

import numpy as np
import pytest

from bigmodel_edu.errors import DTypeError, HyperparameterError, IdError, ShapeError
from bigmodel_edu.knowledge_graph.reference import FactIndex

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


def all_questions():
    sources, relations = np.divmod(np.arange(E * 2 * R), 2 * R)
    return sources, relations


def test_the_index_contains_the_facts_both_ways_and_no_others(facts):
    index, answers = FactIndex(facts, E, R), known_answers(facts)
    sources, relations = all_questions()
    found = index.contains(sources[:, None], relations[:, None], np.arange(E))
    expected = [
        [target in answers.get((s, r), ()) for target in range(E)]
        for s, r in zip(sources.tolist(), relations.tolist(), strict=True)
    ]
    np.testing.assert_array_equal(found, expected)
    assert len(index) == len({tuple(fact) for fact in facts.tolist()}) < len(facts)


def test_the_index_gives_all_answers_of_every_question(facts):
    sources, relations = (x[::-1] for x in all_questions())  # in another order than the keys
    rows, targets = FactIndex(facts, E, R).answers(sources, relations)
    answers = known_answers(facts)
    expected = [
        (row, target)
        for row, question in enumerate(zip(sources.tolist(), relations.tolist(), strict=True))
        for target in sorted(answers.get(question, ()))
    ]
    assert list(zip(rows.tolist(), targets.tolist(), strict=True)) == expected


def test_the_index_gives_its_facts_back(facts):
    index = FactIndex(facts, E, R)
    np.testing.assert_array_equal(index.facts(), np.unique(facts, axis=0))
    assert len(index.both_ways()) == 2 * len(index)


def test_a_question_that_was_asked_twice_has_its_answers_twice():
    index = FactIndex(np.array([[0, 0, 1]]), E, R)
    rows, targets = index.answers(np.array([0, 5, 0]), np.array([0, 0, 0]))
    np.testing.assert_array_equal(rows, [0, 2])
    np.testing.assert_array_equal(targets, [1, 1])


def test_an_index_of_nothing():
    index = FactIndex(np.zeros((0, 3), int), E, R)
    assert len(index) == 0
    assert not index.contains(np.array([1]), np.array([0]), np.array([2])).any()
    rows, targets = index.answers(np.array([1]), np.array([0]))
    assert len(rows) == len(targets) == 0
    assert index.facts().shape == (0, 3)


def test_small_integers_do_not_overflow():
    facts = np.array([[120, 0, 125]], dtype=np.int8)
    index = FactIndex(facts, 127, 1)
    assert index.contains(facts[:, 0], facts[:, 1], facts[:, 2]).all()
    np.testing.assert_array_equal(index.facts(), facts)


@pytest.mark.parametrize(
    ("fact", "message"),
    [
        ([E, 0, 0], r"facts\[:, 0\]\[1\] is 11, expected an entity from 0 to 10"),
        ([0, 0, -1], r"facts\[:, 2\]\[1\] is -1, expected an entity from 0 to 10"),
        ([0, R, 0], r"facts\[1, 1\] is 3, the inverse of a relation, .* other way round"),
        ([0, 2 * R, 0], r"is 6, expected a relation from 0 to 2"),
    ],
)
def test_facts_with_unknown_entities_or_relations(fact, message):
    with pytest.raises(IdError, match=message):
        FactIndex(np.array([[0, 0, 0], fact]), E, R)


def test_facts_of_another_kind():
    with pytest.raises(ShapeError, match=r"facts has shape \(2, 2\), expected \(n, 3\)"):
        FactIndex(np.zeros((2, 2), int), E, R)
    with pytest.raises(DTypeError, match="expected integer"):
        FactIndex(np.zeros((2, 3)), E, R)


def test_a_graph_too_large_for_its_keys():
    with pytest.raises(HyperparameterError, match=r"num_entities is .* at most .* 64 bits"):
        FactIndex(np.zeros((1, 3), int), 2**31, 2)
