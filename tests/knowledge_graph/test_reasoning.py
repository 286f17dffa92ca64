"""Questions of two steps against brute force, and each way to answer them by hand."""

import numpy as np
import pytest
import torch

from bigmodel_edu.data import graph_from_triples
from bigmodel_edu.errors import LengthError, UnknownName
from bigmodel_edu.knowledge_graph.experiments.reasoning import (
    mean_reciprocal_rank,
    two_hop_questions,
)
from bigmodel_edu.knowledge_graph.experiments.training import Configuration, train

E = 9  # below the 10 entities that a search tries in the middle: it tries them all


def random_graph(seed=0):
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(np.unique(rng.integers([E, 2, E], size=(60, 3)), axis=0))
    triples = [(f"e{h}", f"r{r}", f"e{t}") for h, r, t in numbers.tolist()]
    parts = {"train": triples[:25], "valid": triples[25:31], "test": triples[31:37]}
    return graph_from_triples("random", parts, source="drawn")


GRAPH = random_graph()
HOPS = two_hop_questions(GRAPH, "r0", "r1")


@pytest.fixture(scope="module", params=["TransE", "ComplEx"])
def trained(request):
    configuration = Configuration(request.param, dim=5, epochs=30, learning_rate=0.1)
    return train(configuration, GRAPH, progress=False).model, configuration


def ends_of(facts, first=0, second=1):
    """Every answer of each source, fact by fact."""
    ends = {}
    for s, r, z in facts.tolist():
        for other, q, y in facts.tolist():
            if (r, q) == (first, second) and z == other:
                ends.setdefault(s, set()).add(y)
    return ends


def mrr_by_hand(scores):
    """One question after the other, the other right answers taken out."""
    whole, found = ends_of(GRAPH.facts), []
    for row, source, target in zip(scores, HOPS.sources, HOPS.targets, strict=True):
        rivals = [row[e] for e in range(E) if e == target or e not in whole[source]]
        above = sum(score > row[target] for score in rivals)
        level = sum(score == row[target] for score in rivals)
        found.append(1 / (above + (1 + level) / 2))
    return np.mean(found)


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 0), (0, 0)])
def test_the_questions_are_those_of_brute_force(first, second):
    hops = two_hop_questions(GRAPH, f"r{first}", f"r{second}")
    whole, seen = ends_of(GRAPH.facts, first, second), ends_of(GRAPH.train, first, second)
    expected = {(s, y) for s in whole for y in whole[s] - seen.get(s, set())}
    assert (hops.first, hops.second) == (first, second)
    asked = list(zip(hops.sources.tolist(), hops.targets.tolist(), strict=True))
    assert len(asked) == len(hops) == len(expected)
    assert set(asked) == expected
    rows, columns = hops.known
    for row, source in enumerate(hops.sources.tolist()):
        assert sorted(columns[rows == row].tolist()) == sorted(whole[source])


def test_there_is_something_to_ask_and_something_to_leave_out():
    assert len(HOPS) > 5
    assert len(HOPS.known[0]) > len(HOPS)


def test_questions_that_training_answers_are_none():
    graph = graph_from_triples(
        "line",
        {
            "train": [("a", "next", "b"), ("b", "next", "c"), ("a", "likes", "c")],
            "valid": [("b", "likes", "c")],
            "test": [("c", "likes", "a")],
        },
        source="made up",
    )
    with pytest.raises(LengthError, match="training gives all answers of next and next, expected"):
        two_hop_questions(graph, "next", "next")
    hops = two_hop_questions(graph, "next", "likes")
    # a, next b, who likes c by a fact of validation; b, next c, who likes a by one of test
    asked = zip(hops.sources.tolist(), hops.targets.tolist(), strict=True)
    assert list(asked) == [(0, 2), (1, 0)]


def test_the_join_leaves_ties():
    """What it finds is known, so that all that is left scores alike: the rank is in the middle."""
    left = [E - len(ends_of(GRAPH.facts)[source]) + 1 for source in HOPS.sources.tolist()]
    expected = np.mean([2 / (1 + candidates) for candidates in left])
    assert mean_reciprocal_rank("join", GRAPH, HOPS) == pytest.approx(expected)


def test_transe_composes_by_two_steps():
    torch.manual_seed(0)
    configuration = Configuration("TransE", dim=5, p=1)
    model = train(configuration, GRAPH, progress=False).model
    table, (first, second) = model.entity.weight.detach(), model.relation.weight.detach()
    ends = table[HOPS.sources] + first + second
    scores = -(ends[:, None] - table).abs().sum(dim=-1)
    found = mean_reciprocal_rank("compose", GRAPH, HOPS, model, configuration)
    assert found == pytest.approx(mrr_by_hand(scores.numpy()))


def test_complex_composes_by_two_products():
    configuration = Configuration("ComplEx", dim=5)
    model = train(configuration, GRAPH, progress=False).model
    table, relations = (
        torch.complex(*weight.detach().chunk(2, dim=1))
        for weight in (model.entity.weight, model.relation.weight)
    )
    scores = ((table[HOPS.sources] * relations[0] * relations[1]) @ table.conj().T).real
    found = mean_reciprocal_rank("compose", GRAPH, HOPS, model, configuration)
    assert found == pytest.approx(mrr_by_hand(scores.numpy()))


def test_a_search_of_all_entities_is_brute_force(trained):
    model, configuration = trained
    every = torch.arange(E)

    @torch.no_grad()
    def likely(relation):
        return model(every, torch.full((E,), relation)).softmax(dim=1).numpy()

    first, second = likely(0), likely(1)
    scores = (first[:, :, None] * second).max(axis=1)[HOPS.sources]
    found = mean_reciprocal_rank("search", GRAPH, HOPS, model, configuration)
    assert found == pytest.approx(mrr_by_hand(scores))
    assert found == mean_reciprocal_rank("search", GRAPH, HOPS, model)  # needs no more


def test_an_unknown_way_and_an_unknown_relation():
    with pytest.raises(UnknownName, match="Unknown way 'guess', expected join, compose or search"):
        mean_reciprocal_rank("guess", GRAPH, HOPS)
    with pytest.raises(UnknownName, match="has no relation 'r7'"):
        two_hop_questions(GRAPH, "r0", "r7")
