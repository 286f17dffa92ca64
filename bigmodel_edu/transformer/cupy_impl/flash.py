"""FlashAttention on the GPU."""

from dataclasses import dataclass
from pathlib import Path

import cupy as cp

from bigmodel_edu.cuda.kernels import blocks_for, load_kernels
from bigmodel_edu.errors import LengthError, ShapeError
from bigmodel_edu.layer import Array, Cache, Gradients, Params, expect_lengths, expect_shape

from .. import reference
from ..reference.attention import expect_queries_keys_values

KERNELS = load_kernels(Path(__file__).with_suffix(".cu"), cp)
MAX_HEAD = 128  # also in flash.cu
TILE = {"float32": 32, "float64": 16}  # likewise, by dtype


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
