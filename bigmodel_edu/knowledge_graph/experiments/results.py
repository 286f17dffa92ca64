"""The tables of chapter 8, made anew.

    python -m bigmodel_edu.knowledge_graph.experiments.results cldr

`cldr` compares the four models with both baselines on the graph that needs no download, over three
splits and seeds; `umls` and `wn18rr` train on public graphs (`bigmodel data fetch umls`), with
settings whose results are published elsewhere. Checkpoints go to `--folder` if it is given, so that
what was interrupted goes on.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from bigmodel_edu.data import KnowledgeGraph, load_cldr_graph, load_umls, load_wn18rr

from .. import reference
from ..reference import Evaluation, FactIndex, Popularity, RuleModel, ScoreFunction
from .training import Configuration, torch_scores, train

CLDR_SETTINGS: dict[str, Configuration] = {
    "TransE": Configuration(model="TransE", dim=64, epochs=10, learning_rate=0.03),
    "DistMult": Configuration(
        model="DistMult",
        dim=100,
        epochs=6,
        learning_rate=0.1,
        decay=True,
        penalty=0.1,
        reciprocal=True,
    ),
    "ComplEx": Configuration(
        model="ComplEx",
        dim=50,
        epochs=6,
        learning_rate=0.1,
        decay=True,
        penalty=0.1,
        reciprocal=True,
    ),
    "RotatE": Configuration(
        model="RotatE",
        dim=32,
        epochs=8,
        learning_rate=0.03,
        decay=True,
        loss="self_adversarial",
        margin=3.0,
        negatives=16,
    ),
}

NUMBERS = 100  # of an entity in UMLS: 50 complex ones

UMLS_SETTINGS: dict[str, Configuration] = {
    name: replace(
        settings,
        dim=NUMBERS // 2 if name in ("ComplEx", "RotatE") else NUMBERS,
        epochs=100,
        learning_rate=0.02,
        decay=False,
        penalty=settings.penalty / 10,
    )
    for name, settings in CLDR_SETTINGS.items()
}
UMLS_SETTINGS["RotatE"] = replace(UMLS_SETTINGS["RotatE"], margin=6.0, negatives=32)

WN18RR_SETTINGS: dict[str, Configuration] = {
    "ComplEx": Configuration(
        model="ComplEx",
        dim=16,
        epochs=60,
        batch_size=1000,
        learning_rate=0.01,
        negatives=2000,
        penalty=0.02,
        reciprocal=True,
    ),
}


def baselines(graph: KnowledgeGraph) -> dict[str, ScoreFunction]:
    """Return popularity and rules, both from the training facts."""
    sizes = graph.num_entities, graph.num_relations
    popularity = Popularity.of(graph.train, *sizes)
    index = FactIndex(graph.train, *sizes)
    rules = reference.mine_rules(index, with_constants=True)
    return {"popularity": popularity, "rules": RuleModel(rules, index, popularity=popularity)}


def judged(score: ScoreFunction, graph: KnowledgeGraph, part: str = "test") -> Evaluation:
    """Return the filtered evaluation of a part of the graph, all its facts being known."""
    index = FactIndex(graph.facts, graph.num_entities, graph.num_relations)
    return reference.evaluate(score, graph.questions(part), index)


def cldr_table(
    seeds: tuple[int, ...] = (0, 1, 2), folder: Path | None = None
) -> dict[str, list[Evaluation]]:
    """Return for each model and baseline an evaluation per seed, of the split and of the model."""
    found: dict[str, list[Evaluation]] = {}
    for seed in seeds:
        graph = load_cldr_graph(seed=seed)
        settings = {name: replace(own, seed=seed) for name, own in CLDR_SETTINGS.items()}
        once = {name: judged(score, graph) for name, score in baselines(graph).items()}
        once |= models_judged(graph, settings, folder, ending=f"-{seed}")
        for name, evaluation in once.items():
            found.setdefault(name, []).append(evaluation)
    return found


def public_table(
    graph: KnowledgeGraph, settings: dict[str, Configuration], folder: Path | None = None
) -> dict[str, list[Evaluation]]:
    """Return the evaluation of a public graph's test facts for each model."""
    return {name: [one] for name, one in models_judged(graph, settings, folder).items()}


def models_judged(
    graph: KnowledgeGraph,
    settings: dict[str, Configuration],
    folder: Path | None,
    ending: str = "",
) -> dict[str, Evaluation]:
    """Train each model, its checkpoints in a folder of its own if asked for, and judge it."""
    found = {}
    for name, configuration in settings.items():
        own = None if folder is None else folder / f"{graph.name}-{name}{ending}"
        model = train(configuration, graph, own).model
        found[name] = judged(torch_scores(model), graph)
    return found


def show(title: str, found: dict[str, list[Evaluation]], seconds: float) -> None:
    """Print mean and standard deviation of the metrics over the seeds."""
    table = Table(title=f"{title}, {seconds / 60:.1f} minutes")
    for column in ("", "MRR", "Hits@1", "Hits@10"):
        table.add_column(column)
    for name, evaluations in found.items():
        metrics = [one.metrics() for one in evaluations]
        cells = (spread([getattr(m, key) for m in metrics]) for key in METRICS)
        table.add_row(name, *cells)
    Console().print(table)


METRICS = ("mrr", "hits_at_1", "hits_at_10")


def spread(values: list[float]) -> str:
    """Write the mean, and the standard deviation if there are several."""
    mean = f"{np.mean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.3f}"


class Graph(StrEnum):
    """What the command takes."""

    cldr = "cldr"
    umls = "umls"
    wn18rr = "wn18rr"


def main(
    graph: Annotated[Graph, typer.Argument(help="Which graph.")],
    folder: Annotated[Path | None, typer.Option(help="Where checkpoints go.")] = None,
    threads: Annotated[int, typer.Option(help="Threads of PyTorch.")] = 1,
) -> None:
    """Train and judge the models of chapter 8, and print their table."""
    torch.set_num_threads(threads)
    start = time.perf_counter()
    tables: dict[str, Callable[[], dict[str, list[Evaluation]]]] = {
        "cldr": lambda: cldr_table(folder=folder),
        "umls": lambda: public_table(load_umls(), UMLS_SETTINGS, folder),
        "wn18rr": lambda: public_table(load_wn18rr(), WN18RR_SETTINGS, folder),
    }
    found = tables[graph]()
    show(graph, found, time.perf_counter() - start)


if __name__ == "__main__":
    typer.run(main)
