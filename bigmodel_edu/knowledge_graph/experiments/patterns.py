"""Small worlds in which one pattern of relations is everything there is to learn.

Some of the facts that follow from the pattern are kept aside and asked for.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bigmodel_edu.data import KnowledgeGraph
from bigmodel_edu.errors import UnknownName, did_you_mean
from bigmodel_edu.layer import Array

from .. import reference
from .training import Configuration, torch_scores, train

ENTITIES = 24  # of every world


def symmetric(rng: np.random.Generator) -> tuple[Array, Array]:
    """Twelve couples; of half of them training knows one direction only."""
    couples = with_relation(0, rng.permutation(ENTITIES).reshape(-1, 2))
    mirrored = couples[:, ::-1]
    half = len(couples) // 2
    return np.concatenate((couples, mirrored[:half])), mirrored[half:]


def antisymmetric(rng: np.random.Generator) -> tuple[Array, Array]:
    """Who comes before whom in a line of entities: never both before each other."""
    order = rng.permutation(ENTITIES)
    first, second = np.triu_indices(ENTITIES, k=1)
    pairs = np.stack([order[first], order[second]], axis=1)
    return _three_quarters(rng, with_relation(0, pairs))


def inverse(rng: np.random.Generator) -> tuple[Array, Array]:
    """A line of entities, with the next of each and the previous."""
    line = _steps(rng.permutation(ENTITIES), 1)
    known, asked = _three_quarters(rng, with_relation(1, line[:, ::-1]))
    return np.concatenate((with_relation(0, line), known)), asked


def composed(rng: np.random.Generator) -> tuple[Array, Array]:
    """The same line, with the next of each and the next but one."""
    order = rng.permutation(ENTITIES)
    known, asked = _three_quarters(rng, with_relation(1, _steps(order, 2)))
    return np.concatenate((with_relation(0, _steps(order, 1)), known)), asked


PATTERNS: dict[str, Callable[[np.random.Generator], tuple[Array, Array]]] = {
    "symmetric": symmetric,
    "antisymmetric": antisymmetric,
    "inverse": inverse,
    "composed": composed,
}


# Distances have to grow to be told apart: that takes large steps, and no penalty in the way.
SETTINGS = {
    "TransE": Configuration("TransE", dim=8, epochs=150, batch_size=512, learning_rate=0.3),
    "RotatE": Configuration("RotatE", dim=8, epochs=100, batch_size=512, learning_rate=0.1),
} | {
    name: Configuration(name, dim=16, epochs=50, batch_size=512, learning_rate=0.1, penalty=0.003)
    for name in ("DistMult", "ComplEx")
}


def learn_pattern(pattern: str, model: str, seed: int = 0, **settings: object) -> float:
    """Train a model on a pattern's small world; return the filtered MRR of the facts asked for."""
    for what, name, known in (("pattern", pattern, PATTERNS), ("model", model, SETTINGS)):
        if name not in known:
            raise UnknownName(
                f"There is no {what} named {name!r}, expected one of {', '.join(known)}."
                + did_you_mean(name, known)
            )
    known, asked = PATTERNS[pattern](np.random.default_rng(seed))
    graph = _world(pattern, known, asked)
    configuration = replace(SETTINGS[model], seed=seed, **settings)
    trained = train(configuration, graph, progress=False).model
    index = reference.FactIndex(graph.facts, graph.num_entities, graph.num_relations)
    questions = np.concatenate((graph.questions("valid"), graph.questions("test")))
    return reference.evaluate(torch_scores(trained), questions, index).metrics().mrr


def with_relation(relation: int, pairs: Array) -> Array:
    """Return facts (n, 3) of the pairs (n, 2) of head and tail."""
    return np.insert(pairs, 1, relation, axis=1)


def _steps(order: Array, step: int) -> Array:
    """Return the pairs (n, 2) of entities that stand so many steps apart."""
    return np.stack([order[:-step], order[step:]], axis=1)


def _three_quarters(rng: np.random.Generator, facts: Array) -> tuple[Array, Array]:
    order = rng.permutation(len(facts))
    cut = 3 * len(facts) // 4
    return facts[order[:cut]], facts[order[cut:]]


def _world(name: str, known: Array, asked: Array) -> KnowledgeGraph:
    """Return a graph to train on what is known; what is asked makes up its other parts."""
    entities = tuple(f"entity {i}" for i in range(ENTITIES))
    relations = tuple(f"relation {i}" for i in range(int(known[:, 1].max()) + 1))
    return KnowledgeGraph(
        name, entities, relations, known, asked[::2], asked[1::2], source="made up"
    )
