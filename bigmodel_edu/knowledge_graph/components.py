"""The components of chapter 8: what belongs together, and what judges it from outside."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

from bigmodel_edu.components import (
    BenchSize,
    Component,
    FunctionComponent,
    LayerComponent,
    outputs,
    torch_module,
)

from .oracles import (
    TorchMarginRanking,
    bernoulli_by_pykeen,
    logistic_by_probabilities,
    metrics_by_pykeen,
    penalty_by_factors,
    pykeen_interaction,
    pykeen_loss,
    ranks_by_pykeen,
    ranks_by_scipy,
    rgcn_by_adjacency,
    rgcn_by_pykeen,
)

B, NEGATIVES = 128, 256  # the sizes at which speed is measured


def compared(rng: np.random.Generator, batch: int) -> dict:
    """Return the scores of facts (batch,) and of their negatives (batch, 7)."""
    return {"positive": 2 * rng.normal(size=batch), "negative": 2 * rng.normal(size=(batch, 7))}


def bench_loss(build: Callable[[Any], Any]) -> BenchSize:
    """Return the measured size of a loss."""
    return BenchSize(
        shape=f"({B}, {NEGATIVES})",
        build=build,
        inputs=lambda rng: {
            "positive": rng.normal(size=B),
            "negative": rng.normal(size=(B, NEGATIVES)),
        },
    )


def tied_scores(rng: np.random.Generator, batch: int) -> dict:
    """Return scores (batch, 23) with many ties, targets, and known answers, of each the target."""
    scores, targets = np.round(rng.normal(size=(batch, 23))), rng.integers(23, size=batch)
    known = rng.random((batch, 23)) < 0.3
    known[np.arange(batch), targets] = True
    rows, columns = np.nonzero(known)
    return {"scores": scores, "targets": targets, "rows": rows, "columns": columns}


def named_ranks(module: Any, scores: Any, targets: Any, rows: Any, columns: Any) -> dict:
    """Return the filtered ranks, by name."""
    ranks = module.ranks(scores, targets, (rows, columns))
    names = ("optimistic", "pessimistic", "realistic", "candidates")
    return {name: getattr(ranks, name) for name in names}


def half_ranks(rng: np.random.Generator, batch: int) -> dict:
    """Return ranks (8 · batch,), some of them halves, and of how many candidates."""
    candidates = rng.integers(5, 31, size=8 * batch)
    return {"ranks": rng.integers(2, 2 * candidates) / 2, "candidates": candidates}


def named_metrics(module: Any, ranks: Any, candidates: Any) -> dict:
    """Return all metrics of ranks, by name."""
    adjusted = module.adjusted_mean_rank_index(ranks, candidates)
    return module.rank_metrics(ranks).as_dict() | {"adjusted_mean_rank_index": adjusted}


def uneven_facts(rng: np.random.Generator, batch: int) -> dict:
    """Return different facts of three relations, with fewer tails than heads."""
    facts = rng.integers([13, 3, 5], size=(17 * batch, 3))
    return {"facts": np.unique(facts, axis=0)}


GRAPH = (13, 3)  # entities and relations of the examples
ENTITIES, RELATIONS, WIDTH = 5000, 11, 200  # of the graph with which speed is measured


def questions(rng: np.random.Generator, batch: int) -> dict:
    """Return sources (batch,) and relations (batch,), inverse ones among them."""
    n_entities, n_relations = GRAPH
    return {
        "sources": rng.integers(n_entities, size=batch),
        "relations": rng.permutation(batch) % (2 * n_relations),
    }


def with_candidates(rng: np.random.Generator, batch: int) -> dict:
    """Return questions, and 11 candidates for each."""
    candidates = rng.integers(GRAPH[0], size=(batch, 11))
    return questions(rng, batch) | {"candidates": candidates}


def with_shared_candidates(rng: np.random.Generator, batch: int) -> dict:
    """Return questions, and 11 candidates for all of them."""
    return questions(rng, batch) | {"candidates": rng.integers(GRAPH[0], size=11)}


def with_targets(rng: np.random.Generator, batch: int) -> dict:
    """Return questions and their answers: facts."""
    return questions(rng, batch) | {"targets": rng.integers(GRAPH[0], size=batch)}


def model_components(
    name: str, kind: str, *, numbers: int = 1, relation_numbers: int = 1, **options: Any
) -> tuple[Component, ...]:
    """Return a model as components: scoring all entities, some, the same for all; reciprocals.

    `numbers` is how many real numbers make one of an entity, `relation_numbers` one of a relation.
    """

    def component(suffix: str, reciprocal: bool, **changes: Any) -> Component:
        derived = {7 * n for n in (numbers, relation_numbers) if n > 1} | (
            {6} if reciprocal else set()
        )
        interaction = pykeen_interaction(kind, **options)
        return LayerComponent(
            name=f"knowledge_graph.{name}{suffix}",
            build=lambda m: getattr(m, kind)(*GRAPH, 7, reciprocal, **options),
            derived_sizes=tuple(derived),
            oracles={f"pykeen.nn.{kind}Interaction": interaction},
            **changes,
        )

    dim = WIDTH // numbers
    as_reals = f" complex = {WIDTH} real" * (numbers > 1)
    bench = BenchSize(
        shape=f"({B}, {ENTITIES}, {dim}{as_reals})",
        build=lambda m: getattr(m, kind)(ENTITIES, RELATIONS, dim, **options),
        inputs=lambda rng: {
            "sources": rng.integers(ENTITIES, size=B),
            "relations": rng.integers(2 * RELATIONS, size=B),
        },
    )
    return (
        component("", False, inputs=questions, bench=bench),
        component("_candidates", False, inputs=with_candidates),
        component("_shared_candidates", False, inputs=with_shared_candidates),
        component("_reciprocal", True, inputs=with_candidates),
    )


def penalty_component(
    name: str, kind: str, power: int, *, derived: tuple[int, ...] = (), **told: bool
) -> Component:
    """Return the penalty of a model's factors; `told` tells the oracle what they are."""
    return LayerComponent(
        name=f"knowledge_graph.{name}",
        build=lambda m: m.FactorPenalty(getattr(m, kind)(*GRAPH, 7), power),
        inputs=with_targets,
        derived_sizes=derived,
        oracles={"factor by factor": penalty_by_factors(power, **told)},
    )


def edges_among(n_entities: int, n_edges: int, n_relations: int) -> np.ndarray:
    """Return edges (n_edges, 3) over both directions of the relations; the last stands twice."""
    rng = np.random.default_rng(8)
    high = [n_entities, 2 * n_relations, n_entities]
    edges = rng.integers(high, size=(n_edges, 3))
    edges[-2] = edges[-1]
    return edges


COMPONENTS: tuple[Component, ...] = (
    # models, penalties, graph convolution
    *model_components("transe_l1", "TransE", p=1),
    *model_components("transe_l2", "TransE", p=2),
    *model_components("distmult", "DistMult"),
    *model_components("complex", "ComplEx", numbers=2, relation_numbers=2),
    *model_components("rotate", "RotatE", numbers=2),
    penalty_component("n3", "ComplEx", 3, derived=(14,), complex_numbers=True),
    penalty_component("n3_real", "DistMult", 3, complex_numbers=False),
    penalty_component("l2", "RotatE", 2, derived=(14,), complex_numbers=True, angles=True),
    LayerComponent(
        name="knowledge_graph.rgcn",
        build=lambda m: m.RGCN(7, 11, num_relations=3, num_bases=2),
        inputs=lambda rng, batch: {"x": rng.normal(size=(batch, 7))},
        mode=lambda inputs: {"edges": edges_among(len(inputs["x"]), 19, 3)},
        derived_sizes=(6,),
        oracles={
            "adjacency matrices": rgcn_by_adjacency,
            "pykeen.nn.BasesDecomposition": rgcn_by_pykeen,
        },
    ),
    # losses, sampling, ranking
    LayerComponent(
        name="knowledge_graph.margin_loss",
        build=lambda m: m.MarginLoss(0.7),
        inputs=compared,
        oracles={
            "torch.nn.MarginRankingLoss": torch_module(lambda: TorchMarginRanking(0.7)),
            "pykeen.losses.MarginRankingLoss": pykeen_loss("MarginRankingLoss", margin=0.7),
        },
        bench=bench_loss(lambda m: m.MarginLoss()),
    ),
    LayerComponent(
        name="knowledge_graph.logistic_loss",
        build=lambda m: m.LogisticLoss(),
        inputs=compared,
        oracles={
            "probabilities": outputs(logistic_by_probabilities),
            "pykeen.losses.SoftplusLoss": pykeen_loss("SoftplusLoss"),
        },
        bench=bench_loss(lambda m: m.LogisticLoss()),
    ),
    LayerComponent(
        name="knowledge_graph.self_adversarial_loss",
        build=lambda m: m.SelfAdversarialLoss(0.7, 1.3),
        inputs=compared,
        # given, so that they stay as they are where central differences move the scores
        mode=lambda inputs: {"weights": scipy.special.softmax(1.3 * inputs["negative"], axis=1)},
        oracles={
            "pykeen.losses.NSSALoss": pykeen_loss(
                "NSSALoss", scale=2.0, margin=0.7, adversarial_temperature=1.3
            )
        },
        bench=bench_loss(lambda m: m.SelfAdversarialLoss()),
    ),
    FunctionComponent(
        name="knowledge_graph.self_adversarial_weights",
        inputs=lambda rng, batch: {"negative": 2 * rng.normal(size=(batch, 7))},
        call=lambda m, negative: m.SelfAdversarialLoss(0.7, 1.3).weights(negative),
        oracles={
            "scipy.special.softmax": outputs(lambda s: scipy.special.softmax(1.3 * s, axis=1))
        },
        has_torch_twin=True,
    ),
    FunctionComponent(
        name="knowledge_graph.bernoulli_head_probability",
        inputs=uneven_facts,
        call=lambda m, facts: m.bernoulli_head_probability(facts, 3),
        oracles={"pykeen.sampling.BernoulliNegativeSampler": outputs(bernoulli_by_pykeen)},
        tolerance=1e-6,  # they compute in float32
        runs_on_cupy=False,
    ),
    FunctionComponent(
        name="knowledge_graph.ranks",
        inputs=tied_scores,
        call=named_ranks,
        oracles={
            "pykeen.evaluation.ranks": ranks_by_pykeen,
            "scipy.stats.rankdata": ranks_by_scipy,
        },
    ),
    FunctionComponent(
        name="knowledge_graph.rank_metrics",
        inputs=half_ranks,
        call=named_metrics,
        oracles={"pykeen.metrics.ranking": metrics_by_pykeen},
    ),
)
