"""Questions of two steps whose answers the training facts do not give, and three ways to answer.

`join` looks the steps up among the training facts; `compose` walks from query to query without
arriving at any entity; `search` tries the likeliest entities in the middle (see
`reference.queries`).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import nn

from bigmodel_edu.data import KnowledgeGraph
from bigmodel_edu.errors import LengthError, UnknownName
from bigmodel_edu.layer import Array
from bigmodel_edu.neural_nets.reference import softmax

from .. import reference
from ..reference import FactIndex
from .training import Configuration, torch_scores

Way = Literal["join", "compose", "search"]


@dataclass(frozen=True)
class TwoHopQuestions:
    """Questions (source, first, second, ?): one row for each answer that training does not give.

    `sources` and `targets` are (n,); `known` are rows and columns of all right answers.
    """

    first: int
    second: int
    sources: Array
    targets: Array
    known: tuple[Array, Array]

    def __len__(self) -> int:
        return len(self.sources)


def two_hop_questions(graph: KnowledgeGraph, first: str, second: str) -> TwoHopQuestions:
    """Return the questions of two relations whose answer needs a fact of validation or test."""
    sizes = graph.num_entities, graph.num_relations
    whole, seen = FactIndex(graph.facts, *sizes), FactIndex(graph.train, *sizes)
    path = graph.relation(first), graph.relation(second)
    sources, targets, rows, columns = [], [], [], []
    for source in np.unique(graph.facts[graph.facts[:, 1] == path[0], 0]):
        right = reference.two_hop_answers(whole, int(source), *path)
        for target in np.setdiff1d(right, reference.two_hop_answers(seen, int(source), *path)):
            rows += [len(sources)] * len(right)
            columns += right.tolist()
            sources.append(source)
            targets.append(target)
    if not sources:
        raise LengthError(
            f"training gives all answers of {first} and {second}, expected at least one that needs "
            "another fact; take other relations."
        )
    return TwoHopQuestions(
        *path, np.array(sources), np.array(targets), (np.array(rows), np.array(columns))
    )


def mean_reciprocal_rank(
    way: Way,
    graph: KnowledgeGraph,
    questions: TwoHopQuestions,
    model: nn.Module | None = None,
    configuration: Configuration | None = None,
) -> float:
    """Return the filtered MRR of the answers; all ways but `join` need the trained model."""
    scores = _scores(way, graph, questions, model, configuration)
    found = reference.ranks(scores, questions.targets, questions.known)
    return reference.rank_metrics(found.realistic).mrr


def _scores(
    way: Way,
    graph: KnowledgeGraph,
    questions: TwoHopQuestions,
    model: nn.Module | None,
    configuration: Configuration | None,
) -> Array:
    n, path = len(questions), (questions.first, questions.second)
    if way == "join":
        seen = FactIndex(graph.train, graph.num_entities, graph.num_relations)
        scores = np.zeros((n, graph.num_entities))
        for row, source in enumerate(questions.sources):
            scores[row, reference.two_hop_answers(seen, int(source), *path)] = 1
        return scores
    if way == "compose":
        layer = configuration.build(reference, graph)
        params = {name: value.numpy() for name, value in model.state_dict().items()}
        return reference.path_scores(layer, params, questions.sources, np.tile(path, (n, 1)))
    if way == "search":
        first, second = (np.full(n, relation) for relation in path)
        score = torch_scores(model)
        # trained with cross-entropy: the scores of a question are logits
        return reference.two_hop_scores(
            score, questions.sources, first, second, truth=lambda x: softmax(x)
        )
    raise UnknownName(f"Unknown way {way!r}, expected join, compose or search.")
