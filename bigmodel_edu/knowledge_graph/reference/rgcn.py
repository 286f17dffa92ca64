"""The relational graph convolution: an entity is described by its neighbours."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bigmodel_edu.layer import (
    Array,
    Cache,
    Gradients,
    Layer,
    Params,
    expect_count,
    expect_floats,
    expect_shape,
    with_prefix,
    without_prefix,
)
from bigmodel_edu.lstm.reference import scatter_add
from bigmodel_edu.neural_nets.reference import Linear

from .questions import expect_entities, expect_relations


@dataclass(frozen=True)
class RGCN(Layer):
    """One step of messages along the edges of a graph (Schlichtkrull et al. 2018, eq. 2 and 3):

        y_i = W₀ x_i + b + Σ_r W_r · mean of x_j over the edges (j, r, i),    W_r = Σ_n a_rn V_n,

    with one matrix W_r for each relation and one for each inverse, all made of N = `num_bases`
    matrices V_n. An edge that is given twice counts twice. The activation is left to what follows.

    Shapes: x (E, I); edges (M, 3), integers: source in [0, E), relation in [0, 2R), target in
    [0, E); y (E, O), with I = `in_features`, O = `out_features`, R = `num_relations`. Parameters:
    bases V (N, O, I), coefficients a (2R, N), self_loop W₀ (O, I) and b (O,).
    """

    in_features: int
    out_features: int
    num_relations: int
    num_bases: int

    def __post_init__(self) -> None:
        for name in ("in_features", "out_features", "num_relations", "num_bases"):
            expect_count(name, getattr(self, name))

    @property
    def self_loop(self) -> Linear:
        """W₀ and b."""
        return Linear(self.in_features, self.out_features)

    def init(self, rng: np.random.Generator) -> Params:
        """Return weights such that every W_r varies as Glorot's initialization has it."""
        n, out, into = self.num_bases, self.out_features, self.in_features
        return {
            "bases": np.sqrt(2 / (into + out)) * rng.normal(size=(n, out, into)),
            "coefficients": rng.normal(size=(2 * self.num_relations, n)) / np.sqrt(n),
            **with_prefix("self_loop", self.self_loop.init(rng)),
        }

    def forward(self, params: Params, x: Array, *, edges: Array) -> tuple[Array, Cache]:
        self.expect_graph(params, x, edges)
        y, loop_cache = self.self_loop.forward(without_prefix("self_loop", params), x)
        by_relation = []
        for r, sources, targets in edges_by_relation(edges):
            # place: where in `receivers`, each of which stands there once, the target of an edge is
            receivers, place, counts = np.unique(targets, return_inverse=True, return_counts=True)
            shares = (1 / counts[place]).astype(x.dtype)[:, None]
            means = scatter_add(place, shares * x[sources], x[receivers])
            y[receivers] += means @ self.weight(params, r).T
            by_relation.append((r, sources, place, shares, receivers, means))
        return y, (loop_cache, by_relation)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        loop_cache, by_relation = cache
        (dx,), loop_grads = self.self_loop.backward(
            without_prefix("self_loop", params), loop_cache, dy
        )
        bases, coefficients = params["bases"], params["coefficients"]
        d_bases, d_coefficients = np.zeros_like(bases), np.zeros_like(coefficients)
        for r, sources, place, shares, receivers, means in by_relation:
            d_weight = dy[receivers].T @ means
            d_coefficients[r] = (bases * d_weight).sum(axis=(1, 2))
            d_bases += coefficients[r][:, None, None] * d_weight
            d_means = dy[receivers] @ self.weight(params, r)
            dx += scatter_add(sources, shares * d_means[place], dx)
        grads = {"bases": d_bases, "coefficients": d_coefficients}
        return (dx,), grads | with_prefix("self_loop", loop_grads)

    def weight(self, params: Params, r: int) -> Array:
        """Return W_r (O, I)."""
        return (params["coefficients"][r][:, None, None] * params["bases"]).sum(axis=0)

    def expect_graph(self, params: Params, x: Array, edges: Array) -> None:
        """Raise unless parameters, x and edges fit each other."""
        n, out, into = self.num_bases, self.out_features, self.in_features
        expect_shape("bases", params["bases"], n, out, into)
        expect_shape("coefficients", params["coefficients"], 2 * self.num_relations, n)
        expect_floats("x", x)
        expect_shape("x", x, "E", into)
        expect_shape("edges", edges, "M", 3)
        for column in (0, 2):
            expect_entities(f"edges[:, {column}]", edges[:, column], len(x))
        expect_relations("edges[:, 1]", edges[:, 1], self.num_relations)


def edges_by_relation(edges: Array) -> Iterator[tuple[int, Array, Array]]:
    """Yield every relation that has edges, with their sources and targets (m,) each."""
    in_order = edges[np.argsort(edges[:, 1], kind="stable")]
    relations, starts = np.unique(in_order[:, 1], return_index=True)
    ends = [int(start) for start in starts[1:]] + [len(edges)]
    for r, start, end in zip(relations, starts, ends, strict=True):
        own = in_order[int(start) : end]
        yield int(r), own[:, 0], own[:, 2]
