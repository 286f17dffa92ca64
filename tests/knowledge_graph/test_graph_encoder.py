"""A table of entities from their neighbours: alone, and in the place of a model's own."""

import numpy as np
import pytest
import torch

from bigmodel_edu.data import graph_from_triples
from bigmodel_edu.knowledge_graph import reference
from bigmodel_edu.knowledge_graph.experiments.graph_encoder import GraphEncoder
from bigmodel_edu.knowledge_graph.experiments.training import Batches, Configuration, Learner, train

GRAPH = graph_from_triples(
    "family",
    {
        "train": [
            ("ann", "parent", "bob"),
            ("ann", "parent", "cid"),
            ("bob", "parent", "dee"),
            ("cid", "parent", "eve"),
            ("bob", "sibling", "cid"),
            ("dee", "cousin", "eve"),
        ],
        "valid": [("cid", "sibling", "bob")],
        "test": [("eve", "cousin", "dee")],
    },
    source="made up",
)
SMALL = Configuration(dim=3, epochs=40, batch_size=5, learning_rate=0.03, penalty=0.01)


def encoder(**options):
    torch.manual_seed(0)
    return GraphEncoder(GRAPH, width=6, **{"hidden": 7, "num_bases": 2} | options)


def test_the_rows_are_those_of_the_convolution_of_both_directions():
    module = encoder().eval().double()
    layer = reference.RGCN(7, 6, GRAPH.num_relations, 2)
    params = {name: value.numpy() for name, value in module.layer.state_dict().items()}
    x = module.input.detach().numpy()
    expected, _ = layer.forward(params, x, edges=GRAPH.questions("train"))
    np.testing.assert_allclose(module().detach(), expected, rtol=0, atol=1e-9)
    assert module.edges.tolist().count([1, 2 + 3, 0]) == 0
    assert [1, GRAPH.relation("parent") + 3, 0] in module.edges.tolist()  # bob's parent is ann


def test_a_row_depends_on_neighbours_only():
    module = encoder().eval()
    before = module()
    with torch.no_grad():
        module.input[GRAPH.entity("dee")] += 1
    changed = (module() != before).any(dim=1)
    assert [GRAPH.entities[i] for i in np.flatnonzero(changed)] == ["bob", "dee", "eve"]


def test_edges_are_left_out_in_training_only(monkeypatch):
    module = encoder(dropout=0.25)
    seen = []
    forward = type(module.layer).forward
    monkeypatch.setattr(
        type(module.layer),
        "forward",
        lambda self, x, edges: seen.append(len(edges)) or forward(self, x, edges=edges),
    )
    for _ in range(400):
        module()
    n = 400 * 12
    assert abs(sum(seen) - 0.75 * n) < 5 * (n * 0.75 * 0.25) ** 0.5
    assert len(set(seen)) > 3
    module.eval()
    assert torch.equal(module(), module())
    assert seen[-1] == 12


def test_without_dropout_and_with_every_edge_left_out():
    whole = encoder(dropout=0.0)
    assert torch.equal(whole(), whole.eval()())
    alone = encoder(dropout=1.0)
    expected = alone.layer.self_loop(alone.input)
    torch.testing.assert_close(alone(), expected)


def test_the_gradient_reaches_every_parameter():
    learner = Learner(SMALL, GRAPH, encoder(dropout=0.0))
    learner.loss(Batches(SMALL, GRAPH)[0]).backward()
    for name, parameter in learner.encoder.named_parameters():
        assert parameter.grad is not None, name
        assert (parameter.grad != 0).any(), name


def test_it_is_trained_in_the_place_of_a_table():
    module = encoder()
    result = train(SMALL, GRAPH, encoder=module, progress=False)
    assert result.losses[-1] < 0.6 * result.losses[0]
    assert torch.equal(result.model.entity.weight, module.eval()())
    again = train(SMALL, GRAPH, encoder=encoder(), progress=False)
    assert again.losses == result.losses  # the edges left out are drawn by the seed


@pytest.mark.parametrize("name", ["edges", "input"])
def test_edges_and_inputs_are_kept_with_the_module(name):
    assert name in encoder().state_dict()
