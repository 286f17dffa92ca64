"""Penalties on the factors of facts, which keep embeddings small."""

from dataclasses import dataclass

import numpy as np

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.layer import Array, Cache, Gradients, Layer, Params, expect_shape

from .complex_numbers import moduli
from .models import EmbeddingModel
from .questions import expect_entities


@dataclass(frozen=True)
class FactorPenalty(Layer):
    """The mean over facts of Σ_i |s_i|ᵖ + |r_i|ᵖ + |t_i|ᵖ, over the factors of each, p = `power`.

    Power 3 is N3, the nuclear 3-norm (Lacroix et al. 2018), and power 2 is L2. Of a complex number,
    |·| is the modulus. A factor pays once for every fact of the batch that it is part of, so that
    frequent entities are held back more than rare ones. Angles are free: |e^{iθ}| is always 1.

    Shapes: sources and targets (B,), integers in [0, E), relations (B,) in [0, 2R); y a scalar.
    Parameters: the tables of the model.
    """

    model: EmbeddingModel
    power: int = 3

    def __post_init__(self) -> None:
        if self.power not in (2, 3):
            raise HyperparameterError(f"power is {self.power}, expected 2 (L2) or 3 (N3).")

    def init(self, rng: np.random.Generator) -> Params:
        return self.model.init(rng)

    def forward(
        self, params: Params, sources: Array, relations: Array, targets: Array
    ) -> tuple[Array, Cache]:
        self.model.expect_question(params, sources, relations, None)
        expect_shape("targets", targets, len(sources))
        expect_entities("targets", targets, self.model.num_entities)
        ids = {
            "entity.weight": np.concatenate((sources, targets)),
            # an inverse is as large as its relation
            "relation.weight": relations % self.model.relation_rows,
        }
        total = sum(
            (self.sizes(name, params[name][rows]) ** self.power).sum()
            for name, rows in self.penalized(ids).items()
        )
        return total / len(sources), ids

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        ids = cache
        grads = {name: np.zeros_like(params[name]) for name in ids}
        for name, rows in self.penalized(ids).items():
            x = params[name][rows]
            sizes = self.sizes(name, x)
            if sizes.shape != x.shape:  # one modulus for the real and the imaginary part
                sizes = np.concatenate((sizes, sizes), axis=-1)
            dx = self.power * sizes ** (self.power - 2) * x  # the gradient of |x|ᵖ
            dx = dx * (dy / len(ids["relation.weight"]))
            grads[name] = self.model.scatter_add(rows, dx, params[name])
        return (None, None, None), grads

    def penalized(self, ids: dict[str, Array]) -> dict[str, Array]:
        """Return the entries of those tables that hold numbers, not angles."""
        return {k: v for k, v in ids.items() if not (self.model.has_angles and "relation" in k)}

    def sizes(self, name: str, x: Array) -> Array:
        """Return the moduli |x_i| of rows x of a table."""
        is_complex = {
            "entity.weight": self.model.has_complex_entities,
            "relation.weight": self.model.has_complex_relations,
        }
        return moduli(x) if is_complex[name] else np.abs(x)
