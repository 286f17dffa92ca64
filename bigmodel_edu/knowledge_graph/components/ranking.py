"""Ranks and their metrics, and what judges them from outside."""

from typing import Any

import numpy as np
import scipy.special
import scipy.stats
import torch

from bigmodel_edu.components import FunctionComponent, Results, Trial

from .oracles import pykeen


def ranks_by_pykeen(trial: Trial) -> Results:
    """Return the ranks by PyKEEN, for which a known answer has the score NaN."""
    scores, targets, rows, columns = trial.inputs.values()
    own = scores[np.arange(len(scores)), targets]
    masked = scores.copy()
    masked[rows, columns] = np.nan
    masked[np.arange(len(scores)), targets] = own
    theirs = pykeen("evaluation.ranks").Ranks.from_scores(
        torch.from_numpy(own)[:, None], torch.from_numpy(masked)
    )
    named = theirs.to_type_dict() | {"candidates": theirs.number_of_options}
    return {name: value.numpy() for name, value in named.items()}


def ranks_by_scipy(trial: Trial) -> Results:
    """Return the ranks by `scipy.stats.rankdata`, question by question, without the known ones."""
    scores, targets, rows, columns = trial.inputs.values()
    results: dict[str, list] = {"optimistic": [], "pessimistic": [], "realistic": []}
    for b, target in enumerate(targets):
        kept = [e for e in range(scores.shape[1]) if e == target or e not in columns[rows == b]]
        for name, method in zip(results, ("min", "max", "average"), strict=True):
            ranked = scipy.stats.rankdata(-scores[b, kept], method=method)
            results[name].append(ranked[kept.index(target)])
    return {name: np.array(values) for name, values in results.items()}


def metrics_by_pykeen(trial: Trial) -> Results:
    """Return the metrics of ranks by PyKEEN."""
    theirs = pykeen("metrics.ranking")
    metrics = {
        "mean_rank": theirs.ArithmeticMeanRank(),
        "mrr": theirs.InverseHarmonicMeanRank(),
        **{f"hits_at_{k}": theirs.HitsAtK(k=k) for k in (1, 3, 10)},
        "adjusted_mean_rank_index": theirs.AdjustedArithmeticMeanRankIndex(),
    }
    ranks, candidates = trial.inputs.values()
    return {name: np.array(metric(ranks, candidates)) for name, metric in metrics.items()}


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


RANKS = FunctionComponent(
    name="knowledge_graph.ranks",
    inputs=tied_scores,
    call=named_ranks,
    oracles={
        "pykeen.evaluation.ranks": ranks_by_pykeen,
        "scipy.stats.rankdata": ranks_by_scipy,
    },
)

RANK_METRICS = FunctionComponent(
    name="knowledge_graph.rank_metrics",
    inputs=half_ranks,
    call=named_metrics,
    oracles={"pykeen.metrics.ranking": metrics_by_pykeen},
)
