"""The models, and what judges them from outside."""

from typing import Any

import numpy as np
import torch

from bigmodel_edu.components import BenchSize, Component, LayerComponent, Oracle, Results, Trial

from .oracles import gradients_of, pykeen
from .sizes import ENTITIES, GRAPH, RELATIONS, WIDTH, B


def pykeen_interaction(name: str, **options: Any) -> Oracle:
    """Return the interaction function of that name in `pykeen.nn.modules` as an oracle.

    It knows no inverse relations: a question for the inverse of r, (t, r⁻¹, ?), is the question
    (?, r, t) there. A relation r + R with an embedding of its own is a relation like any other.
    """

    def oracle(trial: Trial) -> Results:
        interaction = getattr(pykeen("nn.modules"), f"{name}Interaction")(**options)
        return gradients_of(lambda tensors: scores(interaction, tensors), trial)

    def scores(interaction: Any, tensors: dict[str, Any]) -> Any:
        entities, relations = tensors["entity.weight"], tensors["relation.weight"]
        asked = tensors["relations"]
        own = entities[tensors["sources"]][:, None]
        others = entities[tensors["candidates"]] if "candidates" in tensors else entities
        others = others.expand(len(asked), *others.shape[-2:])
        own = own.expand_as(others)
        rows = relations[asked % len(relations)][:, None]
        is_tail_asked = (asked < len(relations))[:, None, None]
        heads, tails = (
            torch.where(is_tail_asked, first, second)
            for first, second in ((own, others), (others, own))
        )
        return call(interaction, heads, rows, tails)

    def call(interaction: Any, h: Any, r: Any, t: Any) -> Any:
        if name == "ComplEx":
            return interaction(as_complex(h), as_complex(r), as_complex(t))
        if name == "RotatE":
            # Theirs takes the length of the whole vector; of one number alone, that is its modulus.
            turns = torch.polar(torch.ones_like(r), r)
            numbers = (z[..., None] for z in (as_complex(h), turns, as_complex(t)))
            return interaction(*numbers).sum(dim=-1)
        return interaction(h, r, t)

    return oracle


def as_complex(x: Any) -> Any:
    """Return complex numbers (..., d) of their real, then their imaginary parts (..., 2d)."""
    half = x.shape[-1] // 2
    return x[..., :half] + 1j * x[..., half:]


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


TRANSE_L1 = model_components("transe_l1", "TransE", p=1)

TRANSE_L2 = model_components("transe_l2", "TransE", p=2)

DISTMULT = model_components("distmult", "DistMult")

COMPLEX = model_components("complex", "ComplEx", numbers=2, relation_numbers=2)

ROTATE = model_components("rotate", "RotatE", numbers=2)
