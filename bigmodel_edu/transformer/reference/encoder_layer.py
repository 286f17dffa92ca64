"""The layers of the encoder and of the decoder."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bigmodel_edu.layer import (
    Array,
    Cache,
    Gradients,
    Layer,
    Params,
    with_prefix,
    without_prefix,
)
from bigmodel_edu.neural_nets.reference import Dropout, LayerNorm

from .attention import MultiHeadAttention
from .feed_forward import Activation, FeedForward
from .residual import Residual


@dataclass(frozen=True)
class EncoderLayer(Layer):
    """Self-attention and a feed-forward layer, each in a residual connection with a norm.

    (Vaswani et al. 2017, section 3.1, with `norm_first` Xiong et al. 2020.) Post-norm with "gelu"
    it is a layer of BERT; pre-norm, `causal` and with "gelu_tanh" one of GPT-2. Dropout acts on
    the output of each sublayer (section 5.4), nowhere else.

    Shapes: x and y (B, T, D), D = `d_model`; `mask` broadcasts to (B, h, T, T). The parameters are
    those of `torch.nn.TransformerEncoderLayer`.
    """

    d_model: int
    num_heads: int
    d_ff: int
    dropout: float = 0.0
    activation: Activation = "relu"
    norm_first: bool = False
    causal: bool = False

    mode_dependent: ClassVar[bool] = True
    Attention: ClassVar[type[Layer]] = MultiHeadAttention
    FeedForward: ClassVar[type[Layer]] = FeedForward
    Norm: ClassVar[type[Layer]] = LayerNorm

    def __post_init__(self) -> None:
        self.self_attn, self.feed_forward, self.residual  # noqa: B018  (they check their numbers)

    @property
    def self_attn(self) -> Layer:
        return self.Attention(self.d_model, self.num_heads, causal=self.causal)

    @property
    def feed_forward(self) -> Layer:
        return self.FeedForward(self.d_model, self.d_ff, self.activation)

    @property
    def residual(self) -> Residual:
        return Residual(self.Norm(self.d_model), Dropout(self.dropout), self.norm_first)

    def init(self, rng: np.random.Generator) -> Params:
        return (
            with_prefix("self_attn", self.self_attn.init(rng))
            | self.feed_forward.init(rng)
            | with_prefix("norm1", self.Norm(self.d_model).init(rng))
            | with_prefix("norm2", self.Norm(self.d_model).init(rng))
        )

    def forward(
        self,
        params: Params,
        x: Array,
        *,
        mask: Array | None = None,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Cache]:
        mode = {"training": training, "rng": rng}
        attn, norm1, norm2 = parts(params, "self_attn", "norm1", "norm2")
        x, attn_cache = self.residual.forward(
            norm1, x, lambda h: self.self_attn.forward(attn, h, mask=mask), **mode
        )
        y, ff_cache = self.residual.forward(
            norm2, x, lambda h: self.feed_forward.forward(params, h), **mode
        )
        return y, (attn_cache, ff_cache)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        attn_cache, ff_cache = cache
        attn, norm1, norm2 = parts(params, "self_attn", "norm1", "norm2")
        (dx,), d_norm2, d_ff = self.residual.backward(
            norm2, ff_cache, dy, lambda cache, d: self.feed_forward.backward(params, cache, d)
        )
        (dx, _), d_norm1, d_attn = self.residual.backward(
            norm1, attn_cache, dx, lambda cache, d: self.self_attn.backward(attn, cache, d)
        )
        grads = with_prefix("self_attn", d_attn) | d_ff
        return (dx,), grads | with_prefix("norm1", d_norm1) | with_prefix("norm2", d_norm2)


def parts(params: Params, *prefixes: str) -> list[Params]:
    """Return the parameters of each part, its prefix taken off."""
    return [without_prefix(prefix, params) for prefix in prefixes]
