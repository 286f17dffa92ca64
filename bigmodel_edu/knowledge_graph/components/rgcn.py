"""The relational graph convolution, and what judges it from outside."""

from collections import Counter
from typing import Any

import numpy as np
import torch

from bigmodel_edu.components import LayerComponent, Results, Trial

from .oracles import gradients_of, pykeen


def rgcn_by_adjacency(trial: Trial) -> Results:
    """Return the graph convolution with one dense adjacency matrix for every relation."""

    def compute(tensors: dict[str, Any]) -> Any:
        x, coefficients = tensors["x"], tensors["coefficients"]
        y = x @ tensors["self_loop.weight"].T + tensors["self_loop.bias"]
        for r in range(len(coefficients)):
            adjacency = np.zeros((len(x), len(x)))
            own = edges[edges[:, 1] == r]
            np.add.at(adjacency, (own[:, 2], own[:, 0]), 1)
            adjacency /= np.maximum(adjacency.sum(axis=1, keepdims=True), 1)
            weight = torch.einsum("n,noi->oi", coefficients[r], tensors["bases"])
            y = y + torch.from_numpy(adjacency).to(x) @ x @ weight.T
        return y

    edges = trial.mode()["edges"]
    return gradients_of(compute, trial)


def rgcn_by_pykeen(trial: Trial) -> Results:
    """Return the graph convolution by PyKEEN's basis decomposition; the self-loop is ours.

    There a message runs against the arrow, from target to source, so that the two change places.
    """
    sources, relations, targets = torch.from_numpy(trial.mode()["edges"]).T
    pairs = list(zip(targets.tolist(), relations.tolist(), strict=True))
    degrees = Counter(pairs)
    shares = torch.tensor([1 / degrees[pair] for pair in pairs], dtype=torch.float64)
    n_relations, n_bases = trial.params["coefficients"].shape
    _, out, into = trial.params["bases"].shape
    layer = pykeen("nn.message_passing").BasesDecomposition(
        num_bases=n_bases, num_relations=n_relations, input_dim=into, output_dim=out
    )

    def compute(tensors: dict[str, Any]) -> Any:
        theirs = {
            "relation_representations.base._embeddings.weight": tensors["bases"].mT.flatten(1),
            "relation_representations.weight._embeddings.weight": tensors["coefficients"],
        }
        x = tensors["x"]
        with torch.sparse.check_sparse_tensor_invariants():  # PyTorch warns where nobody chose
            messages = torch.func.functional_call(
                layer, theirs, (x, targets, sources, relations, shares.to(x)), strict=True
            )
        return x @ tensors["self_loop.weight"].T + tensors["self_loop.bias"] + messages

    return gradients_of(compute, trial)


def edges_among(n_entities: int, n_edges: int, n_relations: int) -> np.ndarray:
    """Return edges (n_edges, 3) over both directions of the relations; the last stands twice."""
    rng = np.random.default_rng(8)
    high = [n_entities, 2 * n_relations, n_entities]
    edges = rng.integers(high, size=(n_edges, 3))
    edges[-2] = edges[-1]
    return edges


RGCN = LayerComponent(
    name="knowledge_graph.rgcn",
    build=lambda m: m.RGCN(7, 11, num_relations=3, num_bases=2),
    inputs=lambda rng, batch: {"x": rng.normal(size=(batch, 7))},
    mode=lambda inputs: {"edges": edges_among(len(inputs["x"]), 19, 3)},
    derived_sizes=(6,),
    oracles={
        "adjacency matrices": rgcn_by_adjacency,
        "pykeen.nn.BasesDecomposition": rgcn_by_pykeen,
    },
)
