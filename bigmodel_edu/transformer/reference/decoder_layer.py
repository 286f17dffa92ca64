"""The layer of the decoder: like the encoder's, and it looks at the memory as well."""

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
from .cache import KeyValueCache
from .feed_forward import Activation, FeedForward
from .residual import Residual


@dataclass(frozen=True)
class DecoderLayer(Composite):
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
    unprefixed: ClassVar[tuple[str, ...]] = ("feed_forward",)
    Attention: ClassVar[type[Layer]] = MultiHeadAttention
    FeedForward: ClassVar[type[Layer]] = FeedForward
    Norm: ClassVar[type[Layer]] = LayerNorm

    def named_parts(self) -> dict[str, Layer]:
        return {
            "self_attn": self.Attention(self.d_model, self.num_heads, causal=True),
            "multihead_attn": self.Attention(self.d_model, self.num_heads),
            "feed_forward": self.FeedForward(self.d_model, self.d_ff, self.activation),
            "norm1": self.Norm(self.d_model),
            "norm2": self.Norm(self.d_model),
            "norm3": self.Norm(self.d_model),
            "dropout": Dropout(self.dropout),
        }

    @property
    def residual(self) -> Residual:
        return Residual(self.norm_first)

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
        run = ForwardPass(self, params, training=training, rng=rng)
        x = self.residual.forward(run, "self_attn", "norm1", x, mask=mask)
        x = self.residual.forward(run, "multihead_attn", "norm2", x, memory, mask=memory_mask)
        y = self.residual.forward(run, "feed_forward", "norm3", x)
        return y, run.cache()

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        back = BackwardPass(self, params, cache)
        (dx,) = self.residual.backward(back, "feed_forward", "norm3", dy)
        dx, d_memory = self.residual.backward(back, "multihead_attn", "norm2", dx)
        dx, _ = self.residual.backward(back, "self_attn", "norm1", dx)
        return (dx, d_memory), back.grads

    def keys_and_values(self, params: Params, memory: Array) -> tuple[Array, Array]:
        """Return the keys and the values (B, h, S, d) of a memory, for `step`."""
        return ForwardPass(self, params)("multihead_attn", memory, method="keys_and_values")

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
        run, residual = ForwardPass(self, params), self.residual
        x = residual.forward(run, "self_attn", "norm1", x, cache, method="step")
        x = residual.forward(
            run, "multihead_attn", "norm2", x, keys, values, mask=memory_mask, method="look"
        )
        return residual.forward(run, "feed_forward", "norm3", x)
