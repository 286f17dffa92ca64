"""Matching on the GPU: queries are compared with candidates by hand."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cupy as cp

from bigmodel_edu.cuda.kernels import THREADS, blocks_for, load_kernels
from bigmodel_edu.errors import ShapeError
from bigmodel_edu.layer import Array, Cache, expect_shape, shape_text

from .. import reference

KERNELS = load_kernels(Path(__file__).with_suffix(".cu"), cp)
# Likewise in matching.cu:
SCORES = 64  # rows and columns of a tile of scores
ROWS_OF_GRADIENT, NUMBERS, STEP = 32, 32, 32
ROW_LANES = THREADS // 16  # pairs that a block scores
WARP = 32
BLOCKS = 1024  # keep any GPU busy: an H100 has 132 processors, each of which runs several


class Measured:
    """What the twins of the matchings share: the kernels of one of the measures in `matching.cu`.

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
