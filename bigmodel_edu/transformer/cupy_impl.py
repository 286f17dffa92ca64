"""Chapter 4 on the GPU: the hot parts by hand, in `kernels.cu`, the rest through CuPy.

Every class takes CuPy arrays and keeps the contract and the checks of the reference. The composites
are the reference's own, built of the twins here and in chapter 1. Parameters are drawn with NumPy,
as in the reference; `cupy.asarray` moves them to the GPU.
"""

from dataclasses import dataclass
from pathlib import Path

import cupy as cp

from bigmodel_edu.cuda.kernels import (
    COLUMNS_PER_BLOCK,
    THREADS,
    blocks_for,
    load_kernels,
    rows_and_columns,
)
from bigmodel_edu.errors import LengthError, ShapeError
from bigmodel_edu.layer import (
    Array,
    Cache,
    Gradients,
    Params,
    expect_floats,
    expect_lengths,
    expect_not_negative,
    expect_shape,
)
from bigmodel_edu.lstm.cupy_impl import Embedding
from bigmodel_edu.neural_nets.cupy_impl import GELU, LayerNorm, ReLU

from . import reference

# These are their own twins: NumPy's functions dispatch to CuPy, so they run on the GPU as they are.
# Additions of a table, matrix products by cuBLAS, and what runs once per sequence, on few numbers.
from .reference import (
    InverseSquareRootWarmUp,
    KeyValueCache,
    LearnedPositions,
    Residual,
    SinusoidalPositions,
    beam_search,
    causal_mask,
    combine,
    greedy_decode,
    join_heads,
    merge_tiles,
    padding_mask,
    split_heads,
)
from .reference.attention import expect_queries_keys_values, fold
from .reference.masks import as_bias, expect_a_key_for_every_query, expect_mask
from .reference.positions import angles

__all__ = [
    "DecoderBlock",
    "DecoderLayer",
    "EncoderLayer",
    "FeedForward",
    "FlashAttention",
    "InverseSquareRootWarmUp",
    "KeyValueCache",
    "LearnedPositions",
    "MultiHeadAttention",
    "RMSNorm",
    "Residual",
    "RotaryPositions",
    "ScaledDotProductAttention",
    "SinusoidalPositions",
    "SwiGLU",
    "Transformer",
    "beam_search",
    "causal_mask",
    "combine",
    "greedy_decode",
    "join_heads",
    "merge_tiles",
    "padding_mask",
    "split_heads",
]

KERNELS = load_kernels(Path(__file__).with_name("kernels.cu"), cp)
ROWS_PER_BLOCK = THREADS // 16  # ROW_LANES in kernels.cu
MAX_HEAD = 128  # likewise
TILE = {"float32": 32, "float64": 16}  # likewise, by dtype


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
class FlashAttention(reference.FlashAttention):
    """One kernel forward, two backward, for heads of at most 128 features.

    The tiles have the size that fits into shared memory, 32×32 for float32 and 16×16 for float64;
    `block_q` and `block_k` are the reference's and change nothing here.
    """

    def forward(
        self, params: Params, q: Array, k: Array, v: Array, *, lengths: Array | None = None
    ) -> tuple[Array, Cache]:
        expect_queries_keys_values(q, k, v)
        n_queries, n_keys = q.shape[2], k.shape[2]
        if lengths is None:
            lengths = cp.full(len(k), n_keys)
        else:
            expect_lengths("lengths", lengths, len(k), n_keys)
        if self.causal and n_queries > n_keys:
            raise LengthError(
                f"there are {n_queries} queries and {n_keys} keys, expected no more queries than "
                "keys: under a causal mask the first queries would see nothing."
            )
        expect_heads_that_fit(q, v)
        q, k, v = (cp.ascontiguousarray(x) for x in (q, k, v))  # once, for backward too
        y = cp.empty((*q.shape[:3], v.shape[3]), q.dtype)
        log_sums = cp.empty(q.shape[:3], q.dtype)
        KERNELS.launch(
            "flash_forward",
            q.shape[0] * q.shape[1] * blocks_for(n_queries, tile_of(q)),
            (q, k, v, lengths),
            (y, log_sums),
            *self._numbers(q, k, v),
        )
        return y, (q, k, v, lengths, y, log_sums)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        q, k, v, lengths, y, log_sums = cache
        expect_shape("dy", dy, *y.shape)
        dy = cp.ascontiguousarray(dy)
        dq, dk, dv = (cp.empty(x.shape, x.dtype) for x in (q, k, v))
        along_p = cp.empty(log_sums.shape, q.dtype)  # ⟨dy, y⟩ of every query
        numbers = self._numbers(q, k, v)
        KERNELS.launch(
            "flash_backward_queries",
            q.shape[0] * q.shape[1] * blocks_for(q.shape[2], tile_of(q)),
            (q, k, v, lengths, y, log_sums, dy),
            (dq, along_p),
            *numbers,
        )
        KERNELS.launch(
            "flash_backward_keys",
            k.shape[0] * k.shape[1] * blocks_for(k.shape[2], tile_of(q)),
            (q, k, v, lengths, log_sums, along_p, dy),
            (dk, dv),
            *numbers,
        )
        return (dq, dk, dv), {}

    def _numbers(self, q: Array, k: Array, v: Array) -> tuple[int | float, ...]:
        """Return the sizes that all three kernels take, the causal offset and the scale."""
        (_, heads, n_queries, d), (_, kv_heads, n_keys, e) = q.shape, v.shape
        offset = n_keys - n_queries if self.causal else n_keys
        return heads, kv_heads, n_queries, n_keys, d, e, offset, float(self.scale_of(q))


def tile_of(q: Array) -> int:
    """Return how many queries, or keys, a block of the kernels takes; 1 for a dtype they refuse."""
    return TILE.get(str(q.dtype), 1)


def expect_heads_that_fit(q: Array, v: Array) -> None:
    """Raise ShapeError where a head has more features than the kernels' tiles have room for."""
    for name, array in (("q", q), ("v", v)):
        if array.shape[3] > MAX_HEAD:
            raise ShapeError(
                f"{name} has heads of {array.shape[3]} features, expected at most {MAX_HEAD}, "
                "which is what fits into a GPU's shared memory here; use more heads, or "
                "ScaledDotProductAttention."
            )


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
class RotaryPositions(reference.RotaryPositions):
    def forward(self, params: Params, x: Array, *, offset: int = 0) -> tuple[Array, Cache]:
        expect_floats("x", x)
        expect_shape("x", x, "...", "T", self.head_dim)
        expect_not_negative("offset", offset)
        return self.turn(x, offset, 1), offset

    def turn(self, x: Array, offset: int, direction: int) -> Array:
        length, half = x.shape[-2], self.head_dim // 2
        angle = angles(length, self.head_dim, self.base, offset, x)
        cosines, sines = cp.cos(angle).astype(x.dtype), cp.sin(angle).astype(x.dtype)
        y = cp.empty(x.shape, x.dtype)
        pairs = x.size // 2
        KERNELS.launch(
            "rotary",
            blocks_for(pairs),
            (x, cosines, sines),
            (y,),
            pairs,
            length,
            half,
            float(direction),
        )
        return y


@dataclass(frozen=True)
class RMSNorm(reference.RMSNorm):
    def forward(self, params: Params, x: Array) -> tuple[Array, Cache]:
        expect_floats("x", x)
        expect_shape("x", x, "...", self.normalized_shape)
        expect_shape("weight", params["weight"], self.normalized_shape)
        rows, columns = rows_and_columns(x)
        y, inverse_rms = cp.empty(x.shape, x.dtype), cp.empty(rows, x.dtype)
        KERNELS.launch(
            "rms_norm_forward",
            rows,
            (x, params["weight"]),
            (y, inverse_rms),
            columns,
            float(self.eps),
        )
        return y, (x, inverse_rms)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        x, inverse_rms = cache
        expect_shape("dy", dy, *x.shape)
        rows, columns = rows_and_columns(x)
        dx, d_weight = cp.empty(x.shape, x.dtype), cp.empty(columns, x.dtype)
        KERNELS.launch(
            "rms_norm_backward_input", rows, (dy, x, params["weight"], inverse_rms), (dx,), columns
        )
        KERNELS.launch(
            "rms_norm_backward_weight",
            blocks_for(columns, COLUMNS_PER_BLOCK),
            (dy, x, inverse_rms),
            (d_weight,),
            rows,
            columns,
        )
        return (dx,), {"weight": d_weight}


@dataclass(frozen=True)
class SwiGLU(reference.SwiGLU):
    """Its cache has no σ: computing it again costs less than storing it."""

    def gated(self, gate: Array, up: Array) -> tuple[Array, Cache]:
        hidden = cp.empty(gate.shape, gate.dtype)
        KERNELS.launch("swiglu_forward", blocks_for(gate.size), (gate, up), (hidden,), gate.size)
        return hidden, (gate, up)

    def gated_backward(self, cache: Cache, d_hidden: Array) -> tuple[Array, Array]:
        gate, up = cache
        d_gate, d_up = cp.empty(gate.shape, gate.dtype), cp.empty(gate.shape, gate.dtype)
        KERNELS.launch(
            "swiglu_backward",
            blocks_for(gate.size),
            (gate, up, d_hidden),
            (d_gate, d_up),
            gate.size,
        )
        return d_gate, d_up


# The composites: the reference, with the twins for its parts.


@dataclass(frozen=True)
class MultiHeadAttention(reference.MultiHeadAttention):
    Attention = FusedAttention
    Rotary = RotaryPositions


@dataclass(frozen=True)
class FeedForward(reference.FeedForward):
    ReLU = ReLU
    GELU = GELU


@dataclass(frozen=True)
class EncoderLayer(reference.EncoderLayer):
    Attention = MultiHeadAttention
    FeedForward = FeedForward
    Norm = LayerNorm


@dataclass(frozen=True)
class DecoderLayer(reference.DecoderLayer):
    Attention = MultiHeadAttention
    FeedForward = FeedForward
    Norm = LayerNorm


@dataclass(frozen=True)
class DecoderBlock(reference.DecoderBlock):
    Attention = MultiHeadAttention
    FeedForward = SwiGLU
    Norm = RMSNorm


@dataclass(frozen=True)
class Transformer(reference.Transformer):
    Encoder = EncoderLayer
    Decoder = DecoderLayer
    Norm = LayerNorm
    Embedding = Embedding
