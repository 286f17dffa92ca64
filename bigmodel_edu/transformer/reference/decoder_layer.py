"""The layer of the decoder: like the encoder's, and it looks at the memory as well."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bigmodel_edu.layer import Array, Cache, Gradients, Layer, Params, with_prefix
from bigmodel_edu.neural_nets.reference import Dropout, LayerNorm

from .attention import MultiHeadAttention
from .cache import KeyValueCache
from .encoder_layer import parts
from .feed_forward import Activation, FeedForward
from .residual import Residual

PARTS = ("self_attn", "multihead_attn", "norm1", "norm2", "norm3")


@dataclass(frozen=True)
class DecoderLayer(Layer):
    """Causal self-attention, attention to a memory, and a feed-forward layer, each in a residual.

    (Vaswani et al. 2017, section 3.1, with `norm_first` Xiong et al. 2020.) Dropout acts on the
    output of each sublayer (section 5.4), nowhere else.

    Shapes: x and y (B, T, D), memory (B, S, D), D = `d_model`; `mask` broadcasts to (B, h, T, T)
    and comes on top of the causal one, `memory_mask` broadcasts to (B, h, T, S). The parameters are
    those of `torch.nn.TransformerDecoderLayer`.
    """

    d_model: int
    num_heads: int
    d_ff: int
    dropout: float = 0.0
    activation: Activation = "relu"
    norm_first: bool = False

    mode_dependent: ClassVar[bool] = True
    Attention: ClassVar[type[Layer]] = MultiHeadAttention
    FeedForward: ClassVar[type[Layer]] = FeedForward
    Norm: ClassVar[type[Layer]] = LayerNorm

    def __post_init__(self) -> None:
        self.self_attn, self.feed_forward, self.residual  # noqa: B018  (they check their numbers)

    @property
    def self_attn(self) -> Layer:
        return self.Attention(self.d_model, self.num_heads, causal=True)

    @property
    def multihead_attn(self) -> Layer:
        return self.Attention(self.d_model, self.num_heads)

    @property
    def feed_forward(self) -> Layer:
        return self.FeedForward(self.d_model, self.d_ff, self.activation)

    @property
    def residual(self) -> Residual:
        return Residual(self.Norm(self.d_model), Dropout(self.dropout), self.norm_first)

    def init(self, rng: np.random.Generator) -> Params:
        params = (
            with_prefix("self_attn", self.self_attn.init(rng))
            | with_prefix("multihead_attn", self.multihead_attn.init(rng))
            | self.feed_forward.init(rng)
        )
        for norm in ("norm1", "norm2", "norm3"):
            params |= with_prefix(norm, self.Norm(self.d_model).init(rng))
        return params

    def forward(
        self,
        params: Params,
        x: Array,
        memory: Array,
        *,
        mask: Array | None = None,
        memory_mask: Array | None = None,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Cache]:
        mode = {"training": training, "rng": rng}
        self_attn, cross_attn, norm1, norm2, norm3 = parts(params, *PARTS)
        x, self_cache = self.residual.forward(
            norm1, x, lambda h: self.self_attn.forward(self_attn, h, mask=mask), **mode
        )
        x, cross_cache = self.residual.forward(
            norm2,
            x,
            lambda h: self.multihead_attn.forward(cross_attn, h, memory, mask=memory_mask),
            **mode,
        )
        y, ff_cache = self.residual.forward(
            norm3, x, lambda h: self.feed_forward.forward(params, h), **mode
        )
        return y, (self_cache, cross_cache, ff_cache)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        self_cache, cross_cache, ff_cache = cache
        self_attn, cross_attn, norm1, norm2, norm3 = parts(params, *PARTS)
        (dx,), d_norm3, grads = self.residual.backward(
            norm3, ff_cache, dy, lambda cache, d: self.feed_forward.backward(params, cache, d)
        )
        (dx, d_memory), d_norm2, d_cross = self.residual.backward(
            norm2, cross_cache, dx, lambda c, d: self.multihead_attn.backward(cross_attn, c, d)
        )
        (dx, _), d_norm1, d_self = self.residual.backward(
            norm1, self_cache, dx, lambda c, d: self.self_attn.backward(self_attn, c, d)
        )
        for prefix, part in zip(PARTS, (d_self, d_cross, d_norm1, d_norm2, d_norm3), strict=True):
            grads = grads | with_prefix(prefix, part)
        return (dx, d_memory), grads

    def step(
        self,
        params: Params,
        x: Array,
        cache: KeyValueCache,
        keys: Array,
        values: Array,
        *,
        memory_mask: Array | None = None,
    ) -> Array:
        """Return y for the next tokens x (B, T, D) alone, given the memory's keys and values."""
        self_attn, cross_attn, norm1, norm2, norm3 = parts(params, *PARTS)
        x, _ = self.residual.forward(
            norm1, x, lambda h: (self.self_attn.step(self_attn, h, cache), None)
        )
        x, _ = self.residual.forward(
            norm2,
            x,
            lambda h: (
                self.multihead_attn.look(cross_attn, h, keys, values, mask=memory_mask),
                None,
            ),
        )
        y, _ = self.residual.forward(norm3, x, lambda h: self.feed_forward.forward(params, h))
        return y
