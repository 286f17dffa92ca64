"""The block of today's decoders in PyTorch."""

from torch import Tensor, nn

from .attention import MultiHeadAttention
from .feed_forward import SwiGLU
from .normalization import RMSNorm


class DecoderBlock(nn.Module):
    """The pre-norm block of Llama: RMSNorm, rotary grouped-query attention, SwiGLU."""

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        d_ff: int,
        num_kv_heads: int | None = None,
        rotary_base: float = 10000.0,
        eps: float = 1e-6,
    ) -> None:
        super().__init__()
        self.self_attn = MultiHeadAttention(
            d_model, num_heads, num_kv_heads, bias=False, causal=True, rotary_base=rotary_base
        )
        self.feed_forward = SwiGLU(d_model, d_ff)
        self.norm1, self.norm2 = RMSNorm(d_model, eps), RMSNorm(d_model, eps)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = x + self.self_attn(self.norm1(x), mask=mask)
        return x + self.feed_forward(self.norm2(x))
