"""Questions of two hops: what are the r₂ of the r₁ of s?"""

from collections.abc import Callable

import numpy as np

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.layer import Array, Params, expect_count, expect_shape
from bigmodel_edu.neural_nets.reference import sigmoid

from .facts import FactIndex
from .models import EmbeddingModel
from .questions import expect_entities, expect_relations
from .ranking import ScoreFunction


def two_hop_answers(index: FactIndex, source: int, first: int, second: int) -> Array:
    """Return the entities y, in ascending order, with first(source, z) and second(z, y) for some z.

    Relations are in [0, 2R). The source may be among its own answers, as in "neighbours of
    neighbours".
    """
    _, middle = index.answers(np.array([source]), np.array([first]))
    _, ends = index.answers(middle, np.full(len(middle), second))
    return np.unique(ends)


def path_scores(model: EmbeddingModel, params: Params, sources: Array, path: Array) -> Array:
    """Return scores (B, E) of the ends of paths (B, L) of relations in [0, 2R) from sources (B,).

    The query of a step is where its answer should lie, so that it can be the source of the next
    (Guu et al. 2015): TransE walks s + r₁ + r₂, RotatE turns twice. No step has to arrive at any
    entity.
    """
    expect_shape("path", path, len(sources), "L")
    expect_entities("sources", sources, model.num_entities)
    expect_relations("path", path, model.num_relations)
    q = params["entity.weight"][sources]
    for step in path.T:
        q = model.query(q, model.relation_rows_of(params, step))
    scores, _ = model.matching.forward(q, params["entity.weight"])
    return scores


def two_hop_scores(
    score: ScoreFunction,
    sources: Array,
    first: Array,
    second: Array,
    *,
    k: int = 10,
    conjunction: str = "product",
    truth: Callable[[Array], Array] = sigmoid,
) -> Array:
    """Return scores (B, E) of the answers of (s, first, z), (z, second, ?), by the k best z.

    T = max over the k best z of truth(s, first, z) ∧ truth(z, second, y), with ∧ the "product" or
    the "min"imum of two numbers in [0, 1] (Arakelyan et al. 2021, by beam search).
    `score(sources, relations)` is that of any model, and `truth` brings scores (..., E) to [0, 1]:
    the default suits a model trained to say yes or no; scores below zero that are distances may
    need a margin added.
    """
    expect_count("k", k)
    conjunctions = {"product": np.multiply, "min": np.minimum}
    if conjunction not in conjunctions:
        raise HyperparameterError(f'conjunction is {conjunction!r}, expected "product" or "min".')
    one_hop = truth(score(sources, first))
    k = min(k, one_hop.shape[1])
    middle = np.argpartition(-one_hop, k - 1, axis=1)[:, :k]  # (B, k)
    reached = np.take_along_axis(one_hop, middle, axis=1)
    ends = truth(score(middle.ravel(), np.repeat(second, k))).reshape(len(sources), k, -1)
    return conjunctions[conjunction](reached[:, :, None], ends).max(axis=1)
