"""The encoder layer in PyTorch."""

from torch import Tensor, nn

from bigmodel_edu.neural_nets.torch_impl import LayerNorm

from .attention import MultiHeadAttention
from .feed_forward import FeedForward


class EncoderLayer(FeedForward):
    """Self-attention and a feed-forward layer, each in a residual connection with a norm.

    It inherits the two linear layers so that their parameters have no prefix, as in
    `torch.nn.TransformerEncoderLayer`.
    """

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        d_ff: int,
        dropout: float = 0.0,
        activation: str = "relu",
        norm_first: bool = False,
        causal: bool = False,
    ) -> None:
        super().__init__(d_model, d_ff, activation)
        self.norm_first = norm_first
        self.self_attn = MultiHeadAttention(d_model, num_heads, causal=causal)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        feed_forward = super().forward
        if self.norm_first:
            x = x + self.dropout(self.self_attn(self.norm1(x), mask=mask))
            return x + self.dropout(feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.self_attn(x, mask=mask)))
        return self.norm2(x + self.dropout(feed_forward(x)))
