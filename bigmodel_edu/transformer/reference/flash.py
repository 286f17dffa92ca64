"""FlashAttention: exact attention tile by tile, without the T×S matrix of weights."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bigmodel_edu.errors import LengthError
from bigmodel_edu.layer import Array, Cache, Gradients, Params, expect_count, expect_lengths

from .attention import ScaledDotProductAttention, expect_queries_keys_values

# What has been seen of a row of scores: its maximum m, l = Σ exp(s - m), o = Σ exp(s - m) v.
Tile = tuple[Array, Array, Array]


def merge_tiles(one: Tile, other: Tile) -> Tile:
    """Return what two tiles of keys hold together (Milakov and Gimelshein 2018, eq. 4).

    Each is (m, l, o): for every query the maximum m of its scores s, l = Σ exp(s - m) and
    o = Σ exp(s - m) v. Shapes: m and l (..., T, 1), o (..., T, e). Both are brought to the larger
    maximum before they are added; the attention is o / l at the end.
    """
    (m1, l1, o1), (m2, l2, o2) = one, other
    m = np.maximum(m1, m2)
    a1, a2 = np.exp(m1 - m), np.exp(m2 - m)
    return m, a1 * l1 + a2 * l2, a1 * o1 + a2 * o2


@dataclass(frozen=True)
class FlashAttention(ScaledDotProductAttention):
    """Attention in tiles (Dao et al. 2022, algorithms 1, 2 and 4; Dao 2024, algorithms 1 and 2).

    The same numbers as `ScaledDotProductAttention`. Forward goes over tiles of `block_k` keys for
    each tile of `block_q` queries, merging as it goes (`merge_tiles`), and keeps y and the
    logarithm of the sum L = m + log l. Backward computes the weights of a tile again,
    p = exp(s - L). Memory grows with T + S, not with T S.

    Shapes: q (B, h, T, d), k (B, g, S, d), v (B, g, S, e), y (B, h, T, e). Of masks it knows
    `causal` and `lengths` (B,), the number of keys of each sequence that are no padding.
    """

    block_q: int = 64
    block_k: int = 64

    def __post_init__(self) -> None:
        expect_count("block_q", self.block_q)
        expect_count("block_k", self.block_k)

    def forward(
        self, params: Params, q: Array, k: Array, v: Array, *, lengths: Array | None = None
    ) -> tuple[Array, Cache]:
        expect_queries_keys_values(q, k, v)
        n_keys = k.shape[2]
        if lengths is not None:
            expect_lengths("lengths", lengths, len(k), n_keys)
        if self.causal and q.shape[2] > n_keys:
            raise LengthError(
                f"there are {q.shape[2]} queries and {n_keys} keys, expected no more queries than "
                "keys: under a causal mask the first queries would see nothing."
            )
        q = q * self.scale_of(q)
        y = np.empty((*q.shape[:3], v.shape[3]), q.dtype, like=q)
        log_sums = np.empty((*q.shape[:3], 1), q.dtype, like=q)
        for rows in blocks(q.shape[2], self.block_q):
            seen = nothing_seen(y[:, :, rows])
            for columns in self._columns(rows, q, k):
                s = self._scores(q, k, rows, columns, lengths)
                seen = merge_tiles(seen, tile_of(s, heads_of(v[:, :, columns], q)))
            m, total, o = seen
            y[:, :, rows] = o / total
            log_sums[:, :, rows] = m + np.log(total)
        return y, (q, k, v, lengths, y, log_sums)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        q, k, v, lengths, y, log_sums = cache
        along_p = (dy * y).sum(axis=-1, keepdims=True)
        dq, dk, dv = (np.zeros(x.shape, q.dtype, like=q) for x in (q, k, v))
        for rows in blocks(q.shape[2], self.block_q):
            for columns in self._columns(rows, q, k):
                p = np.exp(self._scores(q, k, rows, columns, lengths) - log_sums[:, :, rows])
                keys, values = heads_of(k[:, :, columns], q), heads_of(v[:, :, columns], q)
                ds = dy[:, :, rows] @ values.swapaxes(-1, -2)
                ds -= along_p[:, :, rows]
                ds *= p
                dq[:, :, rows] += ds @ keys
                dk[:, :, columns] += summed_over_heads(ds.swapaxes(-1, -2) @ q[:, :, rows], k)
                dv[:, :, columns] += summed_over_heads(p.swapaxes(-1, -2) @ dy[:, :, rows], v)
        dq *= self.scale_of(q)
        return (dq, dk, dv), {}

    def _columns(self, rows: slice, q: Array, k: Array) -> Iterator[slice]:
        """Yield the tiles of keys that a tile of queries looks at: under a mask, not all."""
        n_keys = k.shape[2]
        last = rows.stop + n_keys - q.shape[2] if self.causal else n_keys
        return blocks(last, self.block_k)

    def _scores(
        self, q: Array, k: Array, rows: slice, columns: slice, lengths: Array | None
    ) -> Array:
        """Return the scores of one tile, -∞ where the query may not look."""
        keys = heads_of(k[:, :, columns], q)
        s = q[:, :, rows] @ keys.swapaxes(-1, -2)
        column = np.arange(columns.start, columns.stop, like=q)
        if self.causal:
            offset = k.shape[2] - q.shape[2]
            row = np.arange(rows.start, rows.stop, like=q)[:, None]
            s = np.where(column <= row + offset, s, -np.inf).astype(s.dtype, copy=False)
        if lengths is not None:
            inside = column < lengths[:, None, None, None]
            s = np.where(inside, s, -np.inf).astype(s.dtype, copy=False)
        return s


def blocks(n: int, size: int) -> Iterator[slice]:
    """Yield slices of `size` that cover range(n); the last may be shorter."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def nothing_seen(o: Array) -> Tile:
    """Return the state before the first tile, for outputs of the shape of o (B, h, T, e).

    The lowest finite number, not -∞, is the maximum of no scores: -∞ - (-∞) is NaN.
    """
    zeros = np.zeros((*o.shape[:-1], 1), o.dtype, like=o)
    return zeros + np.finfo(o.dtype).min, zeros, np.zeros(o.shape, o.dtype, like=o)


def tile_of(s: Array, v: Array) -> Tile:
    """Return (m, l, o) of one tile with scores s (B, h, T, S) and values v (B, h, S, e)."""
    m = np.maximum(s.max(axis=-1, keepdims=True), np.finfo(s.dtype).min)
    exponentials = np.exp(s - m)
    return m, exponentials.sum(axis=-1, keepdims=True), exponentials @ v


def heads_of(x: Array, q: Array) -> Array:
    """Return a tile of keys or values (B, g, S, d) with each head as often as q shares it."""
    return x if x.shape[1] == q.shape[1] else np.repeat(x, q.shape[1] // x.shape[1], axis=1)


def summed_over_heads(dx: Array, x: Array) -> Array:
    """Return the gradient (B, h, S, d) of repeated heads summed to that of the heads of x."""
    batch, heads, length, d = dx.shape
    kv_heads = x.shape[1]
    if heads == kv_heads:
        return dx
    return dx.reshape(batch, kv_heads, heads // kv_heads, length, d).sum(axis=2)
