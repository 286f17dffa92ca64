"""Rows for entities that a model has not met: by name, by kind, by a few facts."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bigmodel_edu.data import KnowledgeGraph, NewEntities, hold_out_entities
from bigmodel_edu.errors import LengthError, UnknownName
from bigmodel_edu.knowledge_graph import torch_impl
from bigmodel_edu.knowledge_graph.experiments.new_entities import (
    NameEncoder,
    index_with,
    place_by_facts,
    questions_of_new,
    scores_with,
    texts_of,
)
from bigmodel_edu.knowledge_graph.experiments.training import MODELS, Configuration, train
from bigmodel_edu.knowledge_graph.reference import evaluate

E, R = 17, 2  # a ring: the next of each, and the next but one
RING = np.arange(E)
FACTS = np.concatenate([np.stack([RING, 0 * RING + r, (RING + r + 1) % E], 1) for r in (0, 1)])
NAMES = tuple(f"entity {i}" for i in range(E))
RELATIONS = ("next", "next but one")


def ring():
    order = np.random.default_rng(0).permutation(FACTS)
    parts = order[:30], order[30:32], order[32:]
    return KnowledgeGraph("ring", NAMES, RELATIONS, *parts, source="made up")


@pytest.fixture(scope="module")
def new():
    """Two entities that are no neighbours of each other, with three facts known of each."""
    return hold_out_entities(
        ring(), np.random.default_rng(0), names=("entity 3", "entity 11"), known=3
    )


@pytest.fixture(scope="module")
def model(new):
    configuration = Configuration("ComplEx", dim=8, epochs=60, batch_size=16, learning_rate=0.05)
    return train(configuration, new.graph, progress=False).model


def fresh(name, dim=3):
    """A model without training, its numbers as large as trained ones."""
    torch.manual_seed(0)
    model = Configuration(name, dim=dim).build(torch_impl, ring())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(10)
    return model


def start_for(model, n=2):
    torch.manual_seed(1)
    return torch.randn(n, model.entity.weight.shape[1])


# By name


def test_texts_are_the_different_names_or_else_the_title():
    names = ["territory:CH", "language:de", "currency:SEK", "day:mon"]
    swiss, german, krona, monday = texts_of(names, ["Switzerland", "German", "", "Monday"])
    assert (
        swiss == "Switzerland | Schweiz | Suisse | Suiza | İsviçre | Sveitsi | Szwajcaria | Swiss"
    )
    assert "German | Deutsch | allemand" in german
    assert krona.startswith("Swedish Krona | Schwedische Krone | ")
    assert "Montag" in monday
    assert texts_of(["territory:OM"], ["Oman"]) == ["Oman | Omán | Umman"]  # each name once
    assert texts_of(["language:zzz"], ["No such tongue"]) == ["No such tongue"]


def test_the_encoder_is_exact_where_it_can_be():
    rows = torch.randn(7, 5, generator=torch.manual_seed(0), dtype=torch.float64)
    texts = ["oslo", "bern", "quito", "lima", "accra", "hanoi", "tunis"]
    kinds = ["north", "north", "south", "south", "south", "north", "north"]
    encoder = NameEncoder(alpha=1e-10).fit(texts, kinds, rows)
    found = encoder.encode(texts, kinds)
    assert found.dtype == rows.dtype
    torch.testing.assert_close(found, rows, rtol=0, atol=1e-6)
    held_back = NameEncoder(alpha=1e10).fit(texts, kinds, rows).encode(texts, kinds)
    torch.testing.assert_close(held_back, encoder.means(kinds), rtol=0, atol=1e-6)


def test_means_are_of_the_kind_and_names_without_a_known_piece_add_nothing():
    rows = torch.tensor([[1.0, 2.0], [3.0, 6.0], [10.0, 0.0]])
    encoder = NameEncoder().fit(["oslo", "bern", "lima"], ["a", "a", "b"], rows)
    expected = torch.tensor([[10.0, 0.0], [2.0, 4.0]])
    assert torch.equal(encoder.means(["b", "a"]), expected)
    found = encoder.encode(["ウラン", "Δ"], ["b", "a"])
    assert found.dtype == torch.float32
    # a word's edges are pieces too, so that nothing is known of it but that it is a word
    torch.testing.assert_close(found, encoder.encode(["ы", "ы"], ["b", "a"]))


def test_names_that_share_pieces_get_rows_that_are_near():
    rows = torch.eye(3)
    encoder = NameEncoder().fit(["swedish krona", "euro", "dinar"], ["c"] * 3, rows)
    found = encoder.encode(["danish krone", "tunisian dinar"], ["c", "c"])
    assert (found @ rows).argmax(dim=1).tolist() == [0, 2]


def test_names_and_kinds_that_cannot_be_encoded():
    with pytest.raises(LengthError, match="a name is empty, expected at least one character"):
        NameEncoder().fit(["oslo", ""], ["a", "a"], torch.eye(2))
    encoder = NameEncoder().fit(["oslo", "bern"], ["city", "town"], torch.eye(2))
    with pytest.raises(LengthError, match="a name is empty"):
        encoder.encode([""], ["city"])
    with pytest.raises(UnknownName, match="kind 'citi' was fitted, expected one of city, town"):
        encoder.encode(["rome"], ["citi"])


# By a few facts


def known_loss(model, rows, facts):
    """The mean cross-entropy of the answers that facts of new heads or tails give."""
    losses = []
    for h, r, t in facts.tolist():
        source, relation, answer = (h, r, t) if h >= len(model.entity.weight) else (t, r + R, h)
        scores = torch.from_numpy(
            scores_with(model, rows)(np.array([source]), np.array([relation]))
        )
        own = scores[:, : len(model.entity.weight)]
        losses.append(F.cross_entropy(own, torch.tensor([answer])).item())
    return np.mean(losses)


@pytest.mark.parametrize("name", MODELS)
def test_placing_lowers_the_loss_and_leaves_model_and_start_as_they_are(name):
    model = fresh(name)
    start = start_for(model)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    given = start.clone()
    facts = np.array([(E, 0, 3), (E, 1, 5), (6, 0, E + 1), (2, 1, E)])
    rows = place_by_facts(model, facts, start, steps=60, penalty=0.01)
    assert rows.shape == start.shape
    assert not rows.requires_grad
    assert known_loss(model, rows, facts) < known_loss(model, start, facts) - 0.3
    assert torch.equal(start, given)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_steps_are_those_of_adam_on_loss_and_n3():
    """Of one new entity and one fact, (4, r1, new): its question is (new, r1⁻¹, ?)."""
    model = fresh("ComplEx")
    start = start_for(model, 1)
    options = {"steps": 20, "learning_rate": 0.05, "penalty": 0.5}
    placed = place_by_facts(model, np.array([(4, 1, E)]), start, **options)
    table, relation = (
        torch.complex(*weight.detach().chunk(2, dim=1))
        for weight in (model.entity.weight, model.relation.weight)
    )
    row = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([row], lr=0.05)
    for _ in range(20):
        own = torch.complex(*row.chunk(2, dim=1))
        scores = ((own * relation[1].conj()) @ table.conj().T).real
        loss = F.cross_entropy(scores, torch.tensor([4])) + 0.5 * (own.abs() ** 3).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(placed, row.detach(), rtol=0, atol=1e-4)


def test_a_large_penalty_keeps_rows_small():
    model = fresh("DistMult")
    facts, start = np.array([(E, 0, 3), (6, 0, E + 1)]), start_for(model)
    free, held = (place_by_facts(model, facts, start, steps=60, penalty=p) for p in (0.0, 10.0))
    assert held.norm() < 0.3 * free.norm()


def test_facts_between_two_new_entities_and_between_old_ones_change_nothing():
    model = fresh("TransE")
    start, facts = start_for(model), np.array([(E, 0, 3), (6, 1, E + 1)])
    more = np.array([(E, 0, E + 1), (E + 1, 1, E), (2, 0, 3)])
    expected = place_by_facts(model, facts, start, steps=9)
    found = place_by_facts(model, np.concatenate((facts, more)), start, steps=9)
    assert torch.equal(found, expected)


def test_an_entity_without_a_fact_stays_where_it_begins():
    model = fresh("ComplEx")
    start = start_for(model, 3)
    rows = place_by_facts(model, np.array([(E + 1, 0, 3), (E, 0, E + 2)]), start, steps=9)
    assert torch.equal(rows[[0, 2]], start[[0, 2]])
    assert (rows[1] != start[1]).all()


@pytest.mark.parametrize("facts", [np.zeros((0, 3), int), np.array([(E, 0, E + 1), (2, 0, 3)])])
def test_without_a_fact_that_links_them_nothing_can_be_placed(facts):
    model = fresh("TransE")
    with pytest.raises(LengthError, match="no fact links a new entity to one that the model knows"):
        place_by_facts(model, facts, start_for(model))


def test_three_facts_say_more_than_none(new, model):
    everything, questions = index_with(new), np.concatenate(questions_of_new(new))

    def found(rows):
        score = scores_with(model, rows)
        return evaluate(score, questions, everything).metrics().mrr

    nowhere = torch.zeros(2, model.entity.weight.shape[1])
    assert found(place_by_facts(model, new.known, nowhere)) > found(nowhere) + 0.2


# Scores and questions


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_those_of_a_model_with_a_larger_table(name):
    model = fresh(name)
    rows = start_for(model)
    larger = type(model)(E + 2, R, 3)
    larger.load_state_dict(
        {
            "entity.weight": torch.cat((model.entity.weight.detach(), rows)),
            "relation.weight": model.relation.weight.detach(),
        }
    )
    sources, relations = np.array([E + 1, 3, E]), np.array([0, 3, 1])
    scores = scores_with(model, rows)(sources, relations)
    with torch.no_grad():
        expected = larger(torch.from_numpy(sources), torch.from_numpy(relations))
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)
    assert scores.shape == (3, E + 2)
    assert len(model.entity.weight) == E


def test_questions_begin_at_new_entities_or_end_there():
    new = NewEntities(
        ring(), ("x", "y"), (), (), np.array([(E, 0, 1)]), np.array([(E, 1, 4), (5, 0, E + 1)]), ()
    )
    from_new, to_new = questions_of_new(new)
    assert sorted(from_new.tolist()) == [[E, 1, 4], [E + 1, 0 + R, 5]]
    assert sorted(to_new.tolist()) == [[4, 1 + R, E], [5, 0, E + 1]]


def test_the_index_holds_old_and_new_facts(new):
    index = index_with(new)
    assert index.num_entities == new.graph.num_entities + 2
    assert len(index) == len(new.graph.facts) + len(new.known) + len(new.asked)
    for facts in (new.graph.test, new.known, new.asked):
        assert index.contains(*facts.T).all()
        assert index.contains(facts[:, 2], facts[:, 1] + R, facts[:, 0]).all()


def test_questions_about_a_pair_that_a_known_fact_links_are_left_out():
    asked = np.array([(E, 1, 1), (1, 1, E), (E, 1, 4)])
    new = NewEntities(ring(), ("x",), (), (), np.array([(E, 0, 1)]), asked, ())
    from_new, to_new = questions_of_new(new)
    assert from_new.tolist() == [[E, 1, 4]]
    assert to_new.tolist() == [[4, 1 + R, E]]
