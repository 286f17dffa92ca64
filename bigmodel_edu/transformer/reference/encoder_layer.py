"""The layers of the encoder and of the decoder."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

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
from bigmodel_edu.neural_nets.reference import Dropout, LayerNorm

from .attention import MultiHeadAttention
from .feed_forward import Activation, FeedForward
from .residual import Residual


@dataclass(frozen=True)
class EncoderLayer(Composite):
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
    unprefixed: ClassVar[tuple[str, ...]] = ("feed_forward",)
    Attention: ClassVar[type[Layer]] = MultiHeadAttention
    FeedForward: ClassVar[type[Layer]] = FeedForward
    Norm: ClassVar[type[Layer]] = LayerNorm

    def named_parts(self) -> dict[str, Layer]:
        return {
            "self_attn": self.Attention(self.d_model, self.num_heads, causal=self.causal),
            "feed_forward": self.FeedForward(self.d_model, self.d_ff, self.activation),
            "norm1": self.Norm(self.d_model),
            "norm2": self.Norm(self.d_model),
            "dropout": Dropout(self.dropout),
        }

    @property
    def residual(self) -> Residual:
        return Residual(self.norm_first)

    def forward(
        self,
        params: Params,
        x: Array,
        *,
        mask: Array | None = None,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Cache]:
        run = ForwardPass(self, params, training=training, rng=rng)
        x = self.residual.forward(run, "self_attn", "norm1", x, mask=mask)
        y = self.residual.forward(run, "feed_forward", "norm2", x)
        return y, run.cache()

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        back = BackwardPass(self, params, cache)
        (dx,) = self.residual.backward(back, "feed_forward", "norm2", dy)
        dx, _ = self.residual.backward(back, "self_attn", "norm1", dx)
        return (dx,), back.grads
