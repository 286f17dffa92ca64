"""The block of a decoder-only model, as in Llama."""

from dataclasses import dataclass
from typing import ClassVar

from bigmodel_edu.layer import (
    Array,
    BackwardPass,
    Cache,
    Composite,
    ForwardPass,
    Gradients,
    Layer,
    Params,
)
from bigmodel_edu.neural_nets.reference import Dropout

from .attention import MultiHeadAttention
from .cache import KeyValueCache
from .feed_forward import SwiGLU
from .normalization import RMSNorm
from .residual import Residual


@dataclass(frozen=True)
class DecoderBlock(Composite):
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

    def named_parts(self) -> dict[str, Layer]:
        return {
            "self_attn": self.Attention(
                self.d_model,
                self.num_heads,
                self.num_kv_heads,
                bias=False,
                causal=True,
                rotary_base=self.rotary_base,
            ),
            "feed_forward": self.FeedForward(self.d_model, self.d_ff),
            "norm1": self.Norm(self.d_model, self.eps),
            "norm2": self.Norm(self.d_model, self.eps),
            "dropout": Dropout(0.0),
        }

    @property
    def residual(self) -> Residual:
        return Residual(norm_first=True)

    def forward(
        self, params: Params, x: Array, *, mask: Array | None = None
    ) -> tuple[Array, Cache]:
        run = ForwardPass(self, params)
        x = self.residual.forward(run, "self_attn", "norm1", x, mask=mask)
        y = self.residual.forward(run, "feed_forward", "norm2", x)
        return y, run.cache()

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        back = BackwardPass(self, params, cache)
        (dx,) = self.residual.backward(back, "feed_forward", "norm2", dy)
        dx, _ = self.residual.backward(back, "self_attn", "norm1", dx)
        return (dx,), back.grads

    def empty_cache(self, batch: int, max_length: int, *, like: Array) -> KeyValueCache:
        """Return a cache for `batch` sequences of at most `max_length` tokens."""
        attention = self.self_attn
        return KeyValueCache.empty(
            batch, attention.kv_heads, max_length, attention.head_dim, like=like
        )

    def step(self, params: Params, x: Array, cache: KeyValueCache) -> Array:
        """Return y for the next tokens x (B, T, D) alone; their keys and values join the cache."""
        run = ForwardPass(self, params)
        x = self.residual.forward(run, "self_attn", "norm1", x, cache, method="step")
        return self.residual.forward(run, "feed_forward", "norm2", x)
