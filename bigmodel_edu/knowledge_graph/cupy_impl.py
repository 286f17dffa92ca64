"""Chapter 8 on the GPU: comparing queries with candidates by hand, in `kernels.cu`.

Every class takes CuPy arrays and keeps the contract and the checks of the reference. Queries are
the reference's own: a few operations on (B, W) numbers. What is hot is to compare them with every
entity, or each with candidates of its own, and to bring the gradients back to the tables.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cupy as cp

from bigmodel_edu.cuda.kernels import THREADS, blocks_for, load_kernels
from bigmodel_edu.errors import ShapeError
from bigmodel_edu.layer import (
    Array,
    Cache,
    Gradients,
    Params,
    expect_shape,
    shape_text,
    with_prefix,
    without_prefix,
)
from bigmodel_edu.lstm.cupy_impl import scatter_add

from . import reference

# These are their own twins: NumPy's functions dispatch to CuPy. They run once per batch, on few
# numbers beside those that are scored.
from .reference import (
    FactorPenalty,
    LogisticLoss,
    MarginLoss,
    SelfAdversarialLoss,
    adjusted_mean_rank_index,
    path_scores,
    rank_metrics,
    ranks,
)

__all__ = [
    "RGCN",
    "ComplEx",
    "ComplexDistance",
    "DistMult",
    "DotProduct",
    "EuclideanDistance",
    "FactorPenalty",
    "LogisticLoss",
    "ManhattanDistance",
    "MarginLoss",
    "RotatE",
    "SelfAdversarialLoss",
    "TransE",
    "adjusted_mean_rank_index",
    "path_scores",
    "rank_metrics",
    "ranks",
]

KERNELS = load_kernels(Path(__file__).with_name("kernels.cu"), cp)
# Likewise in kernels.cu:
SCORES = 64  # rows and columns of a tile of scores
ROWS_OF_GRADIENT, NUMBERS, STEP = 32, 32, 32
ROW_LANES = THREADS // 16  # pairs that a block scores
WARP = 32
BLOCKS = 1024  # keep any GPU busy: an H100 has 132 processors, each of which runs several


class Measured:
    """What the twins of the matchings share: the kernels of one of the measures in `kernels.cu`.

    Shapes: queries q (B, W); candidates t (E, W), or (B, N, W), each query's own. Candidates that
    are rows of a table are best left there: `score_chosen` takes the table, and their numbers.
    """

    measure: ClassVar[str]
    parts: ClassVar[int] = 1  # real numbers that make one number of the measure

    def forward(self, q: Array, t: Array) -> tuple[Array, Cache]:
        self.expect_rows(q, t)
        scores = self.score_all(q, t) if t.ndim == 2 else self.score_chosen(q, *as_table(t))
        return scores, (q, t, scores)

    def backward(self, cache: Cache, dy: Array) -> tuple[Array, Array]:
        q, t, scores = cache
        expect_shape("dy", dy, *scores.shape)
        if t.ndim == 2:
            return self.all_backward(q, t, scores, dy)
        dq, dt = self.chosen_backward(q, *as_table(t), scores, dy)
        return dq, dt.reshape(t.shape)

    def score_all(self, q: Array, t: Array) -> Array:
        """Return the scores (B, E) of queries and candidates (E, W)."""
        scores = cp.empty((len(q), len(t)), q.dtype)
        tiles = blocks_for(len(q), SCORES) * blocks_for(len(t), SCORES)
        KERNELS.launch(f"{self.measure}_all", tiles, (q, t), (scores,), *scores.shape, q.shape[1])
        return scores

    def all_backward(self, q: Array, t: Array, scores: Array, dy: Array) -> tuple[Array, Array]:
        """Return dq and dt, given dy (B, E): one kernel, because measures are symmetric."""
        return self._gradient_all(q, t, scores, dy), self._gradient_all(t, q, scores.T, dy.T)

    def _gradient_all(self, a: Array, b: Array, scores: Array, dy: Array) -> Array:
        """Return the gradient of the rows a, given scores and dy (len(a), len(b))."""
        rows, width = a.shape
        tiles = blocks_for(rows, ROWS_OF_GRADIENT) * blocks_for(width // self.parts, NUMBERS)
        slices = max(1, min(BLOCKS // tiles, blocks_for(len(b), STEP)))
        partial = cp.empty((slices, rows, width), a.dtype)
        sizes = rows, len(b), width, slices
        kernel = f"{self.measure}_all_backward"
        KERNELS.launch(kernel, tiles * slices, (a, b, dy, scores), (partial,), *sizes)
        return partial.sum(axis=0)

    def score_chosen(self, q: Array, entities: Array, candidates: Array) -> Array:
        """Return the scores (B, N) of queries and their candidates (B, N), rows of `entities`."""
        owners = cp.arange(candidates.size) // candidates.shape[1]
        return self.score_pairs(q, entities, owners, candidates.ravel()).reshape(candidates.shape)

    def chosen_backward(
        self, q: Array, entities: Array, candidates: Array, scores: Array, dy: Array
    ) -> tuple[Array, Array]:
        """Return the gradients of q and of the whole table `entities`, given dy (B, N)."""
        owners, chosen = cp.arange(candidates.size) // candidates.shape[1], candidates.ravel()
        return (
            self.pairs_backward(q, entities, owners, chosen, scores, dy),
            self.pairs_backward(entities, q, chosen, owners, scores, dy),
        )

    def score_pairs(self, a: Array, b: Array, owners: Array, partners: Array) -> Array:
        """Return the scores (P,) of rows owners (P,) of a with rows partners (P,) of b."""
        scores = cp.empty(owners.shape, a.dtype)
        blocks = blocks_for(scores.size, ROW_LANES)
        sizes = scores.size, a.shape[1]
        kernel = f"{self.measure}_chosen"
        KERNELS.launch(kernel, blocks, (a, b, owners, partners), (scores,), *sizes)
        return scores

    def pairs_backward(
        self, a: Array, b: Array, owners: Array, partners: Array, scores: Array, dy: Array
    ) -> Array:
        """Return the gradient of all rows a, given scores and dy of P pairs.

        Sorted by owner, pairs of one row stand together and are added up in their order.
        """
        rows, width = a.shape
        order = cp.argsort(owners, kind="stable")
        starts = cp.searchsorted(owners[order], cp.arange(rows + 1))
        da = cp.empty(a.shape, a.dtype)
        KERNELS.launch(
            f"{self.measure}_chosen_backward",
            rows * blocks_for(width // self.parts, WARP),
            (a, b, dy, scores, order, starts, partners),
            (da,),
            width,
        )
        return da

    def expect_rows(self, q: Array, t: Array) -> None:
        """Raise ShapeError unless queries and candidates fit each other.

        A kernel sees no shapes: where the reference would refuse, it would read foreign memory.
        """
        expect_shape("q", q, "B", "W")
        batch, width = q.shape
        expect_shape("t", t, *((batch, "N", width) if t.ndim == 3 else ("E", width)))
        if width % self.parts:
            raise ShapeError(
                f"q has shape {shape_text(q.shape)}, expected an even number of columns: first all "
                "real parts, then all imaginary parts."
            )


def as_table(t: Array) -> tuple[Array, Array]:
    """Return candidates t (B, N, W) as a table (B N, W), and which of its rows are whose (B, N)."""
    batch, per_query, width = t.shape
    numbers = cp.arange(batch * per_query).reshape(batch, per_query)
    return t.reshape(-1, width), numbers


@dataclass(frozen=True)
class DotProduct(Measured, reference.DotProduct):
    """All candidates are matrix products, which are cuBLAS's; chosen ones have a kernel."""

    measure: ClassVar[str] = "product"

    def score_all(self, q: Array, t: Array) -> Array:
        return q @ t.T

    def all_backward(self, q: Array, t: Array, scores: Array, dy: Array) -> tuple[Array, Array]:
        return dy @ t, dy.T @ q


@dataclass(frozen=True)
class EuclideanDistance(Measured, reference.EuclideanDistance):
    """From the differences, for near and far candidates alike: in a tile they cost little more."""

    measure: ClassVar[str] = "euclidean"


@dataclass(frozen=True)
class ManhattanDistance(Measured, reference.ManhattanDistance):
    measure: ClassVar[str] = "manhattan"


@dataclass(frozen=True)
class ComplexDistance(Measured, reference.ComplexDistance):
    measure: ClassVar[str] = "modulus"
    parts: ClassVar[int] = 2


class OnKernels:
    """What the twins of the models share: candidates are left in the table, and kernels add up.

    The reference gathers candidates to an array (B, N, W), and scatters one of that size back. Its
    `np.add.reduceat` would run here as well, but CuPy computes it from a running sum over all rows,
    of which every row is a difference: in float32 that costs digits.
    """

    scatter_add = staticmethod(scatter_add)

    def match(self, q: Array, entities: Array, candidates: Array | None) -> tuple[Array, Cache]:
        if candidates is None or candidates.ndim == 1:
            return super().match(q, entities, candidates)
        scores = self.matching.score_chosen(q, entities, candidates)
        return scores, (candidates, (q, scores))

    def match_backward(self, cache: Cache, entities: Array, dy: Array) -> tuple[Array, Array]:
        candidates, match_cache = cache
        if candidates is None or candidates.ndim == 1:
            return super().match_backward(cache, entities, dy)
        q, scores = match_cache
        expect_shape("dy", dy, *scores.shape)
        return self.matching.chosen_backward(q, entities, candidates, scores, dy)


@dataclass(frozen=True)
class TransE(OnKernels, reference.TransE):
    @property
    def matching(self) -> Measured:
        return ManhattanDistance() if self.p == 1 else EuclideanDistance()


@dataclass(frozen=True)
class DistMult(OnKernels, reference.DistMult):
    @property
    def matching(self) -> Measured:
        return DotProduct()


@dataclass(frozen=True)
class ComplEx(OnKernels, reference.ComplEx):
    @property
    def matching(self) -> Measured:
        return DotProduct()


@dataclass(frozen=True)
class RotatE(OnKernels, reference.RotatE):
    @property
    def matching(self) -> Measured:
        return ComplexDistance()


@dataclass(frozen=True)
class RGCN(reference.RGCN):
    """Edges of all relations at once, where the reference takes one relation after the other.

    With W_r = Σ_n a_rn V_n, a message goes first and is transformed later:
    y_i = W₀ x_i + b + Σ_n V_n z_in,  z_in = Σ over the edges (j, r, i) of w_n x_j,
    w_n = a_rn / (number of edges of relation r to i). Each z_n is one kernel, whatever the number
    of relations, and all V_n together are one matrix product.
    """

    def forward(self, params: Params, x: Array, *, edges: Array) -> tuple[Array, Cache]:
        self.expect_graph(params, x, edges)
        y, loop_cache = self.self_loop.forward(without_prefix("self_loop", params), x)
        sources, relations, targets = edges.T.astype(cp.int64)
        groups = targets * (2 * self.num_relations) + relations  # edges that share one mean
        _, group, sizes = cp.unique(groups, return_inverse=True, return_counts=True)
        shares = (1 / sizes[group]).astype(x.dtype)
        weights = shares * params["coefficients"][relations].T  # w (N, M)
        z = cp.stack([sum_of_rows(x, targets, sources, w) for w in weights], axis=1)
        y += cp.tensordot(z, params["bases"], ((1, 2), (0, 2)))
        return y, (loop_cache, x, sources, relations, targets, shares, weights, z)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        loop_cache, x, sources, relations, targets, shares, weights, z = cache
        expect_shape("dy", dy, len(x), self.out_features)
        (dx,), loop_grads = self.self_loop.backward(
            without_prefix("self_loop", params), loop_cache, dy
        )
        dz = cp.tensordot(dy, params["bases"], (1, 1)).swapaxes(0, 1)  # (N, E, I)
        for w, dz_n in zip(weights, dz, strict=True):
            dx += sum_of_rows(dz_n, sources, targets, w)
        along = [DotProduct().score_pairs(dz_n, x, targets, sources) for dz_n in dz]
        d_coefficients = (shares * cp.stack(along)).T
        grads = {
            "bases": cp.tensordot(dy, z, (0, 0)).swapaxes(0, 1),
            "coefficients": scatter_add(relations, d_coefficients, params["coefficients"]),
        }
        return (dx,), grads | with_prefix("self_loop", loop_grads)


def sum_of_rows(rows: Array, owners: Array, partners: Array, weights: Array) -> Array:
    """Return y like rows, y_i = Σ weights_p rows_partners(p) over the pairs p with owner i."""
    return DotProduct().pairs_backward(rows, rows, owners, partners, weights, weights)
