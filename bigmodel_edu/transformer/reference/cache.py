"""The key-value cache: what a decoder has computed once, it need not compute again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bigmodel_edu.errors import LengthError, ShapeError
from bigmodel_edu.layer import Array, expect_count, expect_shape, shape_text


@dataclass
class KeyValueCache:
    """The keys and values of the tokens so far; unlike a layer it holds arrays and changes.

    Shapes: keys (B, g, L, d) and values (B, g, L, e) with room for L tokens, of which the first
    `length` are filled.
    """

    keys: Array
    values: Array
    length: int = 0

    @classmethod
    def empty(
        cls, batch: int, kv_heads: int, max_length: int, head_dim: int, *, like: Array
    ) -> KeyValueCache:
        """Return a cache with room for `max_length` tokens, in the dtype of `like`."""
        expect_count("max_length", max_length)
        shape = (batch, kv_heads, max_length, head_dim)
        return cls(np.zeros(shape, like.dtype, like=like), np.zeros(shape, like.dtype, like=like))

    def append(self, k: Array, v: Array) -> tuple[Array, Array]:
        """Add the keys and values of T new tokens (B, g, T, ·); return all so far (B, g, S, ·)."""
        batch, kv_heads, room, d = self.keys.shape
        if len(k) != batch:
            raise ShapeError(
                f"the new keys are of {len(k)} sequences and the cache is of {batch}, expected the "
                "same batch; make a new cache for a new batch, or choose its rows with `select`."
            )
        expect_shape("k", k, batch, kv_heads, "T", d)
        expect_shape("v", v, batch, kv_heads, k.shape[2], self.values.shape[3])
        end = self.length + k.shape[2]
        if end > room:
            raise LengthError(
                f"the cache would hold {end} tokens, expected at most {room}; make it with a "
                "larger max_length."
            )
        self.keys[:, :, self.length : end] = k
        self.values[:, :, self.length : end] = v
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def select(self, rows: Array) -> KeyValueCache:
        """Return a cache of some of the sequences, for beam search; rows may repeat."""
        return KeyValueCache(self.keys[rows], self.values[rows], self.length)

    def __repr__(self) -> str:
        return f"KeyValueCache({shape_text(self.keys.shape)}, length={self.length})"
