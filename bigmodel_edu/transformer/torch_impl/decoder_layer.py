"""The decoder layer in PyTorch."""

from torch import Tensor, nn

from bigmodel_edu.neural_nets.torch_impl import LayerNorm

from .attention import MultiHeadAttention
from .feed_forward import FeedForward


class DecoderLayer(FeedForward):
    """Causal self-attention, attention to a memory, and a feed-forward layer."""

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        d_ff: int,
        dropout: float = 0.0,
        activation: str = "relu",
        norm_first: bool = False,
    ) -> None:
        super().__init__(d_model, d_ff, activation)
        self.norm_first = norm_first
        self.self_attn = MultiHeadAttention(d_model, num_heads, causal=True)
        self.multihead_attn = MultiHeadAttention(d_model, num_heads)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        feed_forward = super().forward
        if self.norm_first:
            x = x + self.dropout(self.self_attn(self.norm1(x), mask=mask))
            x = x + self.dropout(self.multihead_attn(self.norm2(x), memory, mask=memory_mask))
            return x + self.dropout(feed_forward(self.norm3(x)))
        x = self.norm1(x + self.dropout(self.self_attn(x, mask=mask)))
        x = self.norm2(x + self.dropout(self.multihead_attn(x, memory, mask=memory_mask)))
        return self.norm3(x + self.dropout(feed_forward(x)))
