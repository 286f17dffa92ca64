"""Embedding models: how plausible is a fact (source, relation, target)?

A fact (h, r, t) answers two questions: (h, r, ?) and (?, r, t). The second is the first for the
inverse relation, (t, r⁻¹, ?), so one kind of question is enough: relation r + R stands for the
inverse of r, R being the number of relations. Every model answers in two steps,

    q = query(source, relation)          where the answer should lie,
    score = match(q, candidate)          how near a candidate comes to it,

and differs from the others in these two only. Scores are larger for what is more plausible.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.layer import (
    Array,
    Cache,
    Gradients,
    Layer,
    Params,
    expect_count,
    expect_floats,
    expect_shape,
)
from bigmodel_edu.lstm.reference import scatter_add

from .complex_numbers import complex_product, conjugate, halves, rotation
from .matching import (
    ComplexDistance,
    DotProduct,
    EuclideanDistance,
    ManhattanDistance,
    Matching,
)
from .questions import expect_entities, expect_relations


@dataclass(frozen=True)
class EmbeddingModel(Layer):
    """What the models share: the two tables, the inverse of a relation, and who is scored.

    Shapes: sources and relations (B,), integers in [0, E) and [0, 2R); candidates, integers in
    [0, E), are (B, N), each question's own, or (N,), the same for all, or None for every entity;
    scores (B, N) or (B, E). Tables: entity.weight (E, W) and relation.weight (R, W'), or (2R, W')
    if `reciprocal`. W and W' are `dim` numbers, or twice as many where they are complex: first all
    real parts, then all imaginary parts.

    `reciprocal` gives the inverse of each relation an embedding of its own (Lacroix et al. 2018)
    instead of deriving it from that of the relation.
    """

    num_entities: int
    num_relations: int
    dim: int
    reciprocal: bool = False

    has_complex_entities: ClassVar[bool] = False
    has_complex_relations: ClassVar[bool] = False
    has_angles: ClassVar[bool] = False  # of relations, in place of numbers
    scatter_add: ClassVar = staticmethod(scatter_add)  # of gradients; a twin may have its own

    def __post_init__(self) -> None:
        for name in ("num_entities", "num_relations", "dim"):
            expect_count(name, getattr(self, name))

    @property
    def matching(self) -> Matching:
        """How a candidate is compared with the query."""
        raise NotImplementedError

    def query(self, s: Array, r: Array) -> Array:
        """Return q (B, W) of the rows of sources s (B, W) and of relations r (B, W')."""
        raise NotImplementedError

    def query_backward(self, s: Array, r: Array, dq: Array) -> tuple[Array, Array]:
        """Return the gradients of s and r, given that of q."""
        raise NotImplementedError

    def inverse(self, r: Array) -> Array:
        """Return what stands for the inverses of the relations r (..., W'); its own gradient too.

        It keeps each number or changes its sign, and so takes gradients back as well.
        """
        raise NotImplementedError

    @property
    def entity_width(self) -> int:
        return self.dim * (2 if self.has_complex_entities else 1)

    @property
    def relation_width(self) -> int:
        return self.dim * (2 if self.has_complex_relations else 1)

    @property
    def relation_rows(self) -> int:
        return self.num_relations * (2 if self.reciprocal else 1)

    def init(self, rng: np.random.Generator) -> Params:
        return {
            "entity.weight": self.draw(rng, self.num_entities, self.entity_width),
            "relation.weight": self.draw(rng, self.relation_rows, self.relation_width),
        }

    def draw(self, rng: np.random.Generator, rows: int, width: int) -> Array:
        """Return fresh rows of a table."""
        return 0.1 * rng.normal(size=(rows, width))

    def forward(
        self, params: Params, sources: Array, relations: Array, candidates: Array | None = None
    ) -> tuple[Array, Cache]:
        self.expect_question(params, sources, relations, candidates)
        entities = params["entity.weight"]
        s, r = entities[sources], self.relation_rows_of(params, relations)
        scores, match_cache = self.match(self.query(s, r), entities, candidates)
        return scores, (sources, relations, s, r, match_cache)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        sources, relations, s, r, match_cache = cache
        entities = params["entity.weight"]
        dq, d_entities = self.match_backward(match_cache, entities, dy)
        ds, dr = self.query_backward(s, r, dq)
        grads = {
            "entity.weight": d_entities + self.scatter_add(sources, ds, entities),
            "relation.weight": self.scatter_relations(params, relations, dr),
        }
        return (None, None, None), grads

    def match(self, q: Array, entities: Array, candidates: Array | None) -> tuple[Array, Cache]:
        """Return the scores of queries (B, W) and their candidates, rows of the table (E, W)."""
        t = entities if candidates is None else entities[candidates]
        scores, cache = self.matching.forward(q, t)
        return scores, (candidates, cache)

    def match_backward(self, cache: Cache, entities: Array, dy: Array) -> tuple[Array, Array]:
        """Return the gradients of the queries and of the whole table, given that of the scores."""
        candidates, match_cache = cache
        dq, dt = self.matching.backward(match_cache, dy)
        if candidates is None:
            return dq, dt
        return dq, self.scatter_add(candidates.ravel(), dt.reshape(-1, dt.shape[-1]), entities)

    def relation_rows_of(self, params: Params, relations: Array) -> Array:
        """Return the rows (B, W') that stand for the relations, inverted where asked for."""
        table = params["relation.weight"]
        if self.reciprocal:
            return table[relations]
        rows = table[relations % self.num_relations]
        return np.where(self.is_inverse(relations), self.inverse(rows), rows)

    def scatter_relations(self, params: Params, relations: Array, dr: Array) -> Array:
        """Return the gradient of the table of relations, given that of the rows used."""
        table = params["relation.weight"]
        if self.reciprocal:
            return self.scatter_add(relations, dr, table)
        dr = np.where(self.is_inverse(relations), self.inverse(dr), dr)
        return self.scatter_add(relations % self.num_relations, dr, table)

    def is_inverse(self, relations: Array) -> Array:
        """Return which of the relations (B,) are inverses: booleans (B, 1)."""
        return (relations >= self.num_relations)[:, None]

    def expect_question(
        self, params: Params, sources: Array, relations: Array, candidates: Array | None
    ) -> None:
        """Raise unless numbers and tables fit each other; see `questions`."""
        for name in ("entity.weight", "relation.weight"):
            expect_floats(name, params[name])
        expect_shape("entity.weight", params["entity.weight"], self.num_entities, self.entity_width)
        expect_shape(
            "relation.weight", params["relation.weight"], self.relation_rows, self.relation_width
        )
        expect_shape("sources", sources, "B")
        expect_shape("relations", relations, len(sources))
        expect_entities("sources", sources, self.num_entities)
        expect_relations("relations", relations, self.num_relations)
        if candidates is not None:
            own = () if candidates.ndim == 1 else (len(sources),)
            expect_shape("candidates", candidates, *own, "N")
            expect_entities("candidates", candidates, self.num_entities)


@dataclass(frozen=True)
class TransE(EmbeddingModel):
    """A relation is a step: q = s + r, score = -‖q - t‖_p (Bordes et al. 2013, section 2).

    p is 1 or 2. The inverse of a step is the step back, -r.
    """

    p: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.p not in (1, 2):
            raise HyperparameterError(f"p is {self.p}, expected 1 or 2: the norm of TransE.")

    @property
    def matching(self) -> Matching:
        return ManhattanDistance() if self.p == 1 else EuclideanDistance()

    def query(self, s: Array, r: Array) -> Array:
        return s + r

    def query_backward(self, s: Array, r: Array, dq: Array) -> tuple[Array, Array]:
        return dq, dq

    def inverse(self, r: Array) -> Array:
        return -r


@dataclass(frozen=True)
class DistMult(EmbeddingModel):
    """A relation weighs features: score = Σ_i s_i r_i t_i (Yang et al. 2015).

    The same for (s, r, t) and (t, r, s): every relation is its own inverse.
    """

    @property
    def matching(self) -> Matching:
        return DotProduct()

    def query(self, s: Array, r: Array) -> Array:
        return s * r

    def query_backward(self, s: Array, r: Array, dq: Array) -> tuple[Array, Array]:
        return dq * r, dq * s

    def inverse(self, r: Array) -> Array:
        return r


@dataclass(frozen=True)
class ComplEx(EmbeddingModel):
    """DistMult with complex numbers: score = Re Σ_i s_i r_i t̄_i (Trouillon et al. 2016, eq. 9).

    The real part of a complex product q t̄ is the dot product of q and t as vectors of 2 `dim`
    real numbers, so that q = s r is matched as in DistMult. The inverse of r is r̄.
    """

    has_complex_entities: ClassVar[bool] = True
    has_complex_relations: ClassVar[bool] = True

    @property
    def matching(self) -> Matching:
        return DotProduct()

    def query(self, s: Array, r: Array) -> Array:
        return complex_product(s, r)

    def query_backward(self, s: Array, r: Array, dq: Array) -> tuple[Array, Array]:
        return complex_product(dq, conjugate(r)), complex_product(dq, conjugate(s))

    def inverse(self, r: Array) -> Array:
        return conjugate(r)


@dataclass(frozen=True)
class RotatE(EmbeddingModel):
    """A relation is a rotation: q_i = s_i e^{iθ_i}, score = -Σ_i |q_i - t_i| (Sun et al. 2019).

    Entities are complex, a relation is `dim` angles θ, drawn from all the circle. It is turned back
    by -θ. The paper writes ‖q - t‖; the sum of the moduli is what its authors' code
    computes. PyKEEN takes the length of the whole vector instead, √(Σ_i |q_i - t_i|²).
    """

    has_complex_entities: ClassVar[bool] = True
    has_angles: ClassVar[bool] = True

    @property
    def matching(self) -> Matching:
        return ComplexDistance()

    def init(self, rng: np.random.Generator) -> Params:
        angles = rng.uniform(-np.pi, np.pi, size=(self.relation_rows, self.relation_width))
        return super().init(rng) | {"relation.weight": angles}

    def query(self, s: Array, r: Array) -> Array:
        return complex_product(s, rotation(r))

    def query_backward(self, s: Array, r: Array, dq: Array) -> tuple[Array, Array]:
        q_real, q_imaginary = halves(self.query(s, r))
        dq_real, dq_imaginary = halves(dq)
        dr = dq_imaginary * q_real - dq_real * q_imaginary  # ∂q/∂θ = i q
        return complex_product(dq, rotation(-r)), dr

    def inverse(self, r: Array) -> Array:
        return -r
