"""Two hops: the true answers, walking in the space of a model, and the best ways in between."""

import numpy as np
import pytest

from bigmodel_edu.errors import HyperparameterError, IdError, ShapeError
from bigmodel_edu.knowledge_graph.reference import (
    ComplEx,
    DistMult,
    FactIndex,
    RotatE,
    TransE,
    path_scores,
    two_hop_answers,
    two_hop_scores,
)

E, R = 11, 3


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def facts(rng):
    return rng.integers([E, R, E], size=(41, 3))


def test_two_hops_by_enumeration(facts):
    known = {(h, r, t) for h, r, t in facts.tolist()}
    known |= {(t, r + R, h) for h, r, t in known}
    index = FactIndex(facts, E, R)
    for source in range(E):
        for first in range(2 * R):
            for second in range(2 * R):
                expected = {
                    y
                    for y in range(E)
                    for z in range(E)
                    if (source, first, z) in known and (z, second, y) in known
                }
                found = two_hop_answers(index, source, first, second)
                assert found.tolist() == sorted(expected)


def test_two_hops_from_nowhere():
    index = FactIndex(np.array([[0, 0, 1], [1, 1, 2]]), 3, 2)
    assert two_hop_answers(index, 0, 0, 1).tolist() == [2]
    assert two_hop_answers(index, 2, 0, 1).tolist() == []
    with pytest.raises(IdError, match=r"sources\[0\] is 3"):
        two_hop_answers(index, 3, 0, 1)


# Walking in the space of a model


MODELS = (
    TransE(E, R, 5),
    TransE(E, R, 5, p=1),
    DistMult(E, R, 5),
    ComplEx(E, R, 5),
    RotatE(E, R, 5),
)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_a_path_of_one_step_is_a_question(model, rng):
    params = model.init(rng)
    sources, relations = np.array([0, 4, 7]), np.array([0, 2, 5])
    expected, _ = model.forward(params, sources, relations)
    found = path_scores(model, params, sources, relations[:, None])
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_a_path_may_go_on_from_an_entity_that_lies_where_it_arrived(model, rng):
    """Entity 3 is moved to the end of the first step: two steps are then one step from 3."""
    params = model.init(rng)
    entities = params["entity.weight"]
    sources, path = np.array([7]), np.array([[1, 5]])
    entities[3] = model.query(entities[sources], model.relation_rows_of(params, path[:, 0]))[0]
    expected, _ = model.forward(params, np.array([3]), path[:, 1])
    np.testing.assert_allclose(path_scores(model, params, sources, path), expected, rtol=1e-12)


def test_two_steps_of_a_translation_by_hand(rng):
    model = TransE(E, R, 5)
    params = model.init(rng)
    entities, steps = params["entity.weight"], params["relation.weight"]
    found = path_scores(model, params, np.array([2, 9]), np.array([[0, 1], [1, 5]]))
    ends = np.stack((entities[2] + steps[0] + steps[1], entities[9] + steps[1] - steps[2]))
    distances = np.linalg.norm(ends[:, None] - entities, axis=-1)
    np.testing.assert_allclose(found, -distances, rtol=1e-12)


@pytest.mark.parametrize("model", MODELS[:2] + MODELS[4:], ids=str)
def test_there_and_back_is_where_one_was(model, rng):
    found = path_scores(model, model.init(rng), np.arange(E), np.tile([1, 1 + R], (E, 1)))
    np.testing.assert_array_equal(found.argmax(axis=1), np.arange(E))


def test_paths_that_do_not_fit(rng):
    model = TransE(E, R, 5)
    params = model.init(rng)
    with pytest.raises(ShapeError, match=r"path has shape \(3,\), expected \(3, L\)"):
        path_scores(model, params, np.array([0, 1, 2]), np.array([0, 1, 2]))
    with pytest.raises(IdError, match=r"path\[0, 1\] is 6"):
        path_scores(model, params, np.array([0]), np.array([[0, 6]]))
    with pytest.raises(IdError, match=r"sources\[0\] is 11"):
        path_scores(model, params, np.array([11]), np.array([[0, 1]]))


# The best ways in between


TABLE = np.random.default_rng(1).normal(size=(E, 2 * R, E))


def score(sources, relations):
    return TABLE[sources, relations]


def identity(x):
    return x


@pytest.mark.parametrize("k", [1, 4, 11, 50])
@pytest.mark.parametrize("conjunction", ["product", "min"])
def test_two_hop_scores_by_loops(k, conjunction):
    sources, first, second = np.array([0, 5, 7]), np.array([1, 3, 3]), np.array([2, 0, 5])
    found = two_hop_scores(score, sources, first, second, k=k, conjunction=conjunction)
    join = {"product": float.__mul__, "min": min}[conjunction]
    truth = 1 / (1 + np.exp(-TABLE))
    for b, (s, r, q) in enumerate(zip(sources, first, second, strict=True)):
        best = sorted(range(E), key=lambda z: -truth[s, r, z])[:k]
        for y in range(E):
            expected = max(join(float(truth[s, r, z]), float(truth[z, q, y])) for z in best)
            assert found[b, y] == pytest.approx(expected, rel=1e-12)


def test_with_facts_for_scores_two_hops_find_the_true_answers(facts):
    index = FactIndex(facts, E, R)

    def known(sources, relations):
        return index.contains(sources[:, None], relations[:, None], np.arange(E)).astype(float)

    found = two_hop_scores(known, np.arange(E), np.full(E, 1), np.full(E, 5), k=E, truth=identity)
    for source in range(E):
        answers = two_hop_answers(index, source, 1, 5)
        assert np.flatnonzero(found[source]).tolist() == answers.tolist()


def test_options_without_a_meaning():
    question = np.array([0]), np.array([1]), np.array([2])
    with pytest.raises(HyperparameterError, match="conjunction is 'or', expected"):
        two_hop_scores(score, *question, conjunction="or")
    with pytest.raises(HyperparameterError, match="k is 0"):
        two_hop_scores(score, *question, k=0)
