"""Attention on the GPU: weights with any mask, and which kernel serves when."""

from dataclasses import dataclass
from pathlib import Path

import cupy as cp

from bigmodel_edu.cuda.kernels import THREADS, blocks_for, load_kernels, rows_and_columns
from bigmodel_edu.layer import Array, Cache, Gradients, Params, expect_shape

from .. import reference
from ..reference.attention import expect_queries_keys_values, fold
from ..reference.masks import as_bias, expect_a_key_for_every_query, expect_mask
from .flash import MAX_HEAD, FlashAttention
from .positions import RotaryPositions

KERNELS = load_kernels(Path(__file__).with_suffix(".cu"), cp)
ROWS_PER_BLOCK = THREADS // 16  # ROW_LANES in grid.cuh


@dataclass(frozen=True)
class ScaledDotProductAttention(reference.ScaledDotProductAttention):
    """The products are cuBLAS's, what is between them one kernel; it knows every mask."""

    def forward(
        self, params: Params, q: Array, k: Array, v: Array, *, mask: Array | None = None
    ) -> tuple[Array, Cache]:
        expect_queries_keys_values(q, k, v)
        q = q * self.scale_of(q)
        s = (fold(q, k.shape[1]) @ k.swapaxes(-1, -2)).reshape(*q.shape[:3], k.shape[2])
        p = self._weights_of_scores(s, mask)
        y = (fold(p, k.shape[1]) @ v).reshape(*q.shape[:3], v.shape[3])
        return y, (q, k, v, p)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        q, k, v, p = cache
        expect_shape("dy", dy, *q.shape[:3], v.shape[3])
        kv_heads = k.shape[1]
        dy, folded_p = fold(dy, kv_heads), fold(p, kv_heads)
        dp = (dy @ v.swapaxes(-1, -2)).reshape(p.shape)
        ds = cp.empty(p.shape, p.dtype)
        rows, n_keys = rows_and_columns(p)
        KERNELS.launch(
            "attention_weights_backward",
            blocks_for(rows, ROWS_PER_BLOCK),
            (p, dp),
            (ds,),
            rows,
            n_keys,
        )
        ds = fold(ds, kv_heads)
        dq = (ds @ k).reshape(q.shape) * self.scale_of(q)
        dk = ds.swapaxes(-1, -2) @ fold(q, kv_heads)  # the q of the cache is scaled
        dv = folded_p.swapaxes(-1, -2) @ dy
        return (dq, dk, dv), {}

    def _weights_of_scores(self, s: Array, mask: Array | None) -> Array:
        """Return the weights (B, h, T, S) from the scores."""
        _, heads, n_queries, n_keys = s.shape
        if mask is None:
            bias = cp.zeros((1, 1, 1, 1), s.dtype)
        else:
            expect_mask(mask, *s.shape)
            bias = as_bias(mask, s)
            bias = bias.reshape((1,) * (4 - bias.ndim) + bias.shape)
        p, totals = cp.empty(s.shape, s.dtype), cp.empty((*s.shape[:3], 1), s.dtype)
        rows = totals.size
        KERNELS.launch(
            "attention_weights",
            blocks_for(rows, ROWS_PER_BLOCK),
            (s, bias),
            (p, totals),
            rows,
            heads,
            n_queries,
            n_keys,
            *broadcast_steps(bias.shape),
            n_keys - n_queries if self.causal else n_keys,
        )
        if mask is not None or self.causal:
            expect_a_key_for_every_query(cp.where(totals == 0, -cp.inf, totals))
        return p


def broadcast_steps(shape: tuple[int, ...]) -> list[int]:
    """Return how far apart the elements of a contiguous array are along each axis, 0 if size 1."""
    steps, step = [], 1
    for size in reversed(shape):
        steps.append(step if size > 1 else 0)
        step *= size
    return steps[::-1]


@dataclass(frozen=True)
class FusedAttention(ScaledDotProductAttention):
    """FlashAttention where it applies; with a mask, or heads too large for it, the other one."""

    def forward(
        self, params: Params, q: Array, k: Array, v: Array, *, mask: Array | None = None
    ) -> tuple[Array, Cache]:
        fits = max(q.shape[-1], v.shape[-1]) <= MAX_HEAD
        sees_something = not self.causal or q.shape[2] <= k.shape[2]
        if mask is None and fits and sees_something:
            y, cache = self._flash.forward(params, q, k, v)
            return y, (True, cache)
        y, cache = super().forward(params, q, k, v, mask=mask)
        return y, (False, cache)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        used_flash, cache = cache
        if used_flash:
            return self._flash.backward(params, cache, dy)
        return super().backward(params, cache, dy)

    @property
    def _flash(self) -> FlashAttention:
        return FlashAttention(causal=self.causal, scale=self.scale)


@dataclass(frozen=True)
class MultiHeadAttention(reference.MultiHeadAttention):
    Attention = FusedAttention
    Rotary = RotaryPositions
