"""Matching: how near candidates come to a query, in four ways, each with its gradients.

Shapes: queries q (B, W); candidates t (E, W), the same for every query, or (B, N, W), each query's
own; scores (B, E) or (B, N).

With thousands of shared candidates, all differences q - t at once, (B, E, W), are gigabytes. The
dot product and the Euclidean distance are matrix products and need none of them; the others take
them block by block.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bigmodel_edu.layer import Array, Cache

from .complex_numbers import halves, moduli

BLOCK = 2**16  # numbers of one intermediate result: it stays in the processor's cache
NEAR = 0.01  # of |q|² + |t|²: a smaller squared distance has lost two digits or more


class Matching(ABC):
    """A function of a query and a candidate."""

    @abstractmethod
    def forward(self, q: Array, t: Array) -> tuple[Array, Cache]:
        """Return the scores, and what backward needs."""

    @abstractmethod
    def backward(self, cache: Cache, dy: Array) -> tuple[Array, Array]:
        """Return the gradients of q and t, given that of the scores."""


@dataclass(frozen=True)
class DotProduct(Matching):
    """score = q · t."""

    def forward(self, q: Array, t: Array) -> tuple[Array, Cache]:
        scores = q @ t.T if t.ndim == 2 else (t @ q[..., None])[..., 0]
        return scores, (q, t)

    def backward(self, cache: Cache, dy: Array) -> tuple[Array, Array]:
        q, t = cache
        if t.ndim == 2:
            return dy @ t, dy.T @ q
        return (dy[:, None] @ t)[:, 0], dy[..., None] * q[:, None]


@dataclass(frozen=True)
class EuclideanDistance(Matching):
    """score = -‖q - t‖₂, for shared candidates from |q|² + |t|² - 2 q · t: a matrix product.

    Where q and t are near each other, that subtracts two almost equal numbers. These few pairs,
    the right answers of a trained model among them, are computed again from their differences.
    """

    def forward(self, q: Array, t: Array) -> tuple[Array, Cache]:
        if t.ndim == 3:
            distances = lengths(q[:, None] - t)
            return -distances, (q, t, distances, None)
        sizes = (q * q).sum(axis=-1)[:, None] + (t * t).sum(axis=-1)
        squares = q @ t.T
        squares *= -2
        squares += sizes
        near = squares <= NEAR * sizes
        distances = np.sqrt(np.maximum(squares, 0, out=squares), out=squares)
        for b, rows in rows_of(near):
            distances[b, rows] = lengths(q[b] - t[rows])
        return -distances, (q, t, distances, near)

    def backward(self, cache: Cache, dy: Array) -> tuple[Array, Array]:
        q, t, distances, near = cache
        weights = dy / (distances + smallest(q))  # of the differences, which are 0 at distance 0
        if t.ndim == 3:
            dt = weights[..., None] * (q[:, None] - t)
            return -dt.sum(axis=1), dt
        far = np.where(near, 0, weights)
        dq = far @ t - far.sum(axis=1)[:, None] * q
        dt = far.T @ q - far.sum(axis=0)[:, None] * t
        for b, rows in rows_of(near):
            d_rows = weights[b, rows][:, None] * (q[b] - t[rows])
            dq[b] -= d_rows.sum(axis=0)
            dt[rows] += d_rows
        return dq, dt


class SumOfModuli(Matching):
    """score = -Σ_i |q_i - t_i|, over what `moduli` takes for one number."""

    @abstractmethod
    def moduli(self, x: Array) -> Array:
        """Return the moduli |x_i| (..., d) of x (..., W)."""

    @abstractmethod
    def divide(self, x: Array, by: Array) -> None:
        """Divide the numbers x (..., W) in place by as many real ones, (..., d)."""

    def forward(self, q: Array, t: Array) -> tuple[Array, Cache]:
        if t.ndim == 3:
            return -self.moduli(q[:, None] - t).sum(axis=-1), (q, t)
        distances = np.zeros_like(q, shape=(len(q), len(t)))
        for b, rows in blocks(q, t):
            terms = self.moduli(q[b] - t[rows])
            # a product with ones: faster than a sum over so short an axis
            distances[b, rows] = terms @ np.ones_like(terms[0])
        return -distances, (q, t)

    def backward(self, cache: Cache, dy: Array) -> tuple[Array, Array]:
        q, t = cache
        if t.ndim == 3:
            dt = self.directions(q[:, None] - t)
            dt *= dy[..., None]
            return -dt.sum(axis=1), dt
        dq, dt = np.zeros_like(q), np.zeros_like(t)
        for b, rows in blocks(q, t):
            directions, weights = self.directions(q[b] - t[rows]), dy[b, rows]
            dq[b] -= weights @ directions
            directions *= weights[:, None]
            dt[rows] += directions
        return dq, dt

    def directions(self, differences: Array) -> Array:
        """Turn differences x into the gradient of Σ_i |x_i|: x_i / |x_i|, or 0 where x_i is 0."""
        sizes = self.moduli(differences)
        sizes += smallest(sizes)
        self.divide(differences, sizes)
        return differences


@dataclass(frozen=True)
class ManhattanDistance(SumOfModuli):
    """score = -‖q - t‖₁."""

    def moduli(self, x: Array) -> Array:
        return np.abs(x)

    def divide(self, x: Array, by: Array) -> None:
        x /= by


@dataclass(frozen=True)
class ComplexDistance(SumOfModuli):
    """score = -Σ_i |q_i - t_i| over complex numbers: W / 2 real parts, then as many imaginary."""

    def moduli(self, x: Array) -> Array:
        return moduli(x)

    def divide(self, x: Array, by: Array) -> None:
        for part in halves(x):
            part /= by


def lengths(x: Array) -> Array:
    """Return the lengths ‖x‖₂ (...) of vectors x (..., W)."""
    return np.sqrt((x * x).sum(axis=-1))


def smallest(x: Array) -> float:
    """Return what keeps a division by a length from failing at 0, so that 0 / 0 becomes 0.

    Next to any length that is not itself tiny it is lost in rounding.
    """
    return float(np.finfo(x.dtype).tiny) ** 0.5


def blocks(q: Array, t: Array) -> Iterator[tuple[int, slice]]:
    """Yield, for every query, the candidates (E, W) in blocks of about BLOCK numbers."""
    n = max(1, BLOCK // t.shape[1])
    for start in range(0, len(t), n):
        for b in range(len(q)):
            yield b, slice(start, start + n)


def rows_of(near: Array) -> Iterator[tuple[int, Array]]:
    """Yield, for every query that has any, the numbers of its near candidates: near (B, E)."""
    for b in range(len(near)):
        rows = np.flatnonzero(near[b])
        if len(rows):
            yield b, rows
