"""An epoch of ComplEx on WN18RR, ours and PyKEEN's, one after the other in one run.

Same model, loss (logistic), optimizer (Adam), batch size and number of negatives for both; needs
the extra `test` and the data (`bigmodel data fetch wn18rr`): `python scripts/bench_pykeen.py`.
"""

import time

import numpy as np
import torch
import typer
from pykeen.models import ComplEx
from pykeen.training import SLCWATrainingLoop
from pykeen.triples import CoreTriplesFactory

from bigmodel_edu.data import KnowledgeGraph, load_wn18rr
from bigmodel_edu.knowledge_graph import reference, torch_impl
from bigmodel_edu.knowledge_graph.experiments.training import (
    Configuration,
    Learner,
    torch_scores,
    training_of,
)

DIM, BATCH, NEGATIVES = 100, 1024, 4


def ours(graph: KnowledgeGraph, epochs: int) -> list[float]:
    """Return the seconds of each epoch; one of ours asks twice about each fact."""
    configuration = Configuration(
        model="ComplEx",
        dim=DIM,
        loss="logistic",
        negatives=NEGATIVES,
        filtered=False,
        batch_size=BATCH,
        learning_rate=1e-3,
        epochs=epochs,
    )
    training = training_of(Learner(configuration, graph))
    seconds = []
    for _ in range(epochs):
        start = time.perf_counter()
        for _ in range(len(training.batches)):
            training.take_step()
        seconds.append(time.perf_counter() - start)
    return seconds


def pykeens(graph: KnowledgeGraph, epochs: int) -> list[float]:
    """Return the seconds of each epoch, with as many positives as ours: two of PyKEEN's."""
    factory = CoreTriplesFactory(
        torch.from_numpy(graph.train), graph.num_entities, graph.num_relations
    )
    model = ComplEx(triples_factory=factory, embedding_dim=DIM, loss="softplus", random_seed=0)
    loop = SLCWATrainingLoop(
        model=model,
        triples_factory=factory,
        optimizer=torch.optim.Adam(model.parameters(), lr=1e-3),
        negative_sampler_kwargs={"num_negs_per_pos": NEGATIVES},
    )
    seconds = []
    for epoch in range(epochs):
        start = time.perf_counter()
        loop.train(
            factory,
            num_epochs=2 * (epoch + 1),
            batch_size=BATCH,
            use_tqdm=False,
            only_size_probing=False,
            continue_training=epoch > 0,
        )
        seconds.append(time.perf_counter() - start)
    return seconds


def main(epochs: int = 3, threads: int = 1) -> None:
    torch.set_num_threads(threads)
    graph = load_wn18rr()
    for name, run in (("ours", ours), ("PyKEEN", pykeens)):
        found = run(graph, epochs)
        print(f"{name:7} {np.median(found):6.1f} s for each fact asked twice ({found})")
    index = reference.FactIndex(graph.facts, graph.num_entities, graph.num_relations)
    model = Configuration(model="ComplEx", dim=DIM).build(torch_impl, graph)
    start = time.perf_counter()
    reference.evaluate(torch_scores(model), graph.questions("test"), index)
    seconds = time.perf_counter() - start
    print(f"full filtered evaluation of the test facts: {seconds:.1f} s")


if __name__ == "__main__":
    typer.run(main)
