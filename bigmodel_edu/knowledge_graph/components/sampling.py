"""Bernoulli sampling, and what judges it from outside."""

import numpy as np
import torch

from bigmodel_edu.components import FunctionComponent, outputs

from .oracles import pykeen


def bernoulli_by_pykeen(facts: np.ndarray) -> np.ndarray:
    """Return the probabilities of PyKEEN's sampler, which are float32."""
    sampler = pykeen("sampling").BernoulliNegativeSampler(mapped_triples=torch.from_numpy(facts))
    return sampler.corrupt_head_probability.double().numpy()


def uneven_facts(rng: np.random.Generator, batch: int) -> dict:
    """Return different facts of three relations, with fewer tails than heads."""
    facts = rng.integers([13, 3, 5], size=(17 * batch, 3))
    return {"facts": np.unique(facts, axis=0)}


BERNOULLI_HEAD_PROBABILITY = FunctionComponent(
    name="knowledge_graph.bernoulli_head_probability",
    inputs=uneven_facts,
    call=lambda m, facts: m.bernoulli_head_probability(facts, 3),
    oracles={"pykeen.sampling.BernoulliNegativeSampler": outputs(bernoulli_by_pykeen)},
    tolerance=1e-6,  # they compute in float32
    runs_on_cupy=False,
)
