"""The block of a decoder-only model, as in Llama."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bigmodel_edu.layer import Array, Cache, Gradients, Layer, Params, with_prefix
from bigmodel_edu.neural_nets.reference import Dropout

from .attention import MultiHeadAttention
from .cache import KeyValueCache
from .encoder_layer import parts
from .feed_forward import SwiGLU
from .normalization import RMSNorm
from .residual import Residual

PARTS = ("self_attn", "feed_forward", "norm1", "norm2")


@dataclass(frozen=True)
class DecoderBlock(Layer):
    """Pre-norm block of a decoder-only model (Touvron et al. 2023, section 2.2).

    x ← x + attention(RMSNorm(x)), y = x + SwiGLU(RMSNorm(x)); the attention is causal, rotary and
    grouped-query, no linear layer has a bias. The block of GPT-2 is a causal `EncoderLayer`.

    Shapes: x and y (B, T, D), D = `d_model`; `mask` broadcasts to (B, h, T, T) and comes on top of
    the causal one. The parameters have the prefixes self_attn, feed_forward, norm1 and norm2.
    """

    d_model: int
    num_heads: int
    d_ff: int
    num_kv_heads: int | None = None
    rotary_base: float = 10000.0
    eps: float = 1e-6

    Attention: ClassVar[type[Layer]] = MultiHeadAttention
    FeedForward: ClassVar[type[Layer]] = SwiGLU
    Norm: ClassVar[type[Layer]] = RMSNorm

    def __post_init__(self) -> None:
        self.self_attn, self.feed_forward, self.residual  # noqa: B018  (they check their numbers)

    @property
    def self_attn(self) -> Layer:
        return self.Attention(
            self.d_model,
            self.num_heads,
            self.num_kv_heads,
            bias=False,
            causal=True,
            rotary_base=self.rotary_base,
        )

    @property
    def feed_forward(self) -> Layer:
        return self.FeedForward(self.d_model, self.d_ff)

    @property
    def residual(self) -> Residual:
        return Residual(self.Norm(self.d_model, self.eps), Dropout(0.0), norm_first=True)

    def init(self, rng: np.random.Generator) -> Params:
        norm = self.residual.norm
        layers = (self.self_attn, self.feed_forward, norm, norm)
        params: Params = {}
        for prefix, layer in zip(PARTS, layers, strict=True):
            params |= with_prefix(prefix, layer.init(rng))
        return params

    def forward(
        self, params: Params, x: Array, *, mask: Array | None = None
    ) -> tuple[Array, Cache]:
        attn, ff, norm1, norm2 = parts(params, *PARTS)
        x, attn_cache = self.residual.forward(
            norm1, x, lambda h: self.self_attn.forward(attn, h, mask=mask)
        )
        y, ff_cache = self.residual.forward(norm2, x, lambda h: self.feed_forward.forward(ff, h))
        return y, (attn_cache, ff_cache)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        attn_cache, ff_cache = cache
        attn, ff, norm1, norm2 = parts(params, *PARTS)
        (dx,), d_norm2, d_ff = self.residual.backward(
            norm2, ff_cache, dy, lambda cache, d: self.feed_forward.backward(ff, cache, d)
        )
        (dx, _), d_norm1, d_attn = self.residual.backward(
            norm1, attn_cache, dx, lambda cache, d: self.self_attn.backward(attn, cache, d)
        )
        grads: Params = {}
        for prefix, part in zip(PARTS, (d_attn, d_ff, d_norm1, d_norm2), strict=True):
            grads |= with_prefix(prefix, part)
        return (dx,), grads

    def empty_cache(self, batch: int, max_length: int, *, like: Array) -> KeyValueCache:
        """Return a cache for `batch` sequences of at most `max_length` tokens."""
        attention = self.self_attn
        return KeyValueCache.empty(
            batch, attention.kv_heads, max_length, attention.head_dim, like=like
        )

    def step(self, params: Params, x: Array, cache: KeyValueCache) -> Array:
        """Return y for the next tokens x (B, T, D) alone; their keys and values join the cache."""
        attn, ff, norm1, norm2 = parts(params, *PARTS)
        x, _ = self.residual.forward(
            norm1, x, lambda h: (self.self_attn.step(attn, h, cache), None)
        )
        y, _ = self.residual.forward(norm2, x, lambda h: self.feed_forward.forward(ff, h))
        return y
