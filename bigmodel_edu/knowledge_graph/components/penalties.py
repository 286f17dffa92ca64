"""The penalties, and what judges them from outside."""

from typing import Any

import numpy as np

from bigmodel_edu.components import Component, LayerComponent, Oracle

from .models import questions
from .oracles import gradients_of
from .sizes import GRAPH


def penalty_by_factors(power: int, *, complex_numbers: bool, angles: bool = False) -> Oracle:
    """Return the penalty fact by fact, factor by factor."""

    def compute(tensors: dict[str, Any]) -> Any:
        entities, relations = tensors["entity.weight"], tensors["relation.weight"]
        total = entities.new_zeros(())
        facts = [tensors[name] for name in ("sources", "relations", "targets")]
        for s, r, t in zip(*facts, strict=True):
            factors = [entities[s], entities[t]]
            if not angles:
                factors.append(relations[r % len(relations)])
            for x in factors:
                squares = x**2
                if complex_numbers:
                    squares = squares[: len(x) // 2] + squares[len(x) // 2 :]
                total = total + (squares ** (power / 2)).sum()
        return total / len(facts[0])

    return lambda trial: gradients_of(compute, trial)


def with_targets(rng: np.random.Generator, batch: int) -> dict:
    """Return questions and their answers: facts."""
    return questions(rng, batch) | {"targets": rng.integers(GRAPH[0], size=batch)}


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


N3 = penalty_component("n3", "ComplEx", 3, derived=(14,), complex_numbers=True)

N3_REAL = penalty_component("n3_real", "DistMult", 3, complex_numbers=False)

L2 = penalty_component("l2", "RotatE", 2, derived=(14,), complex_numbers=True, angles=True)
