"""Attention, in one head and in several, in PyTorch."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .linear import linear
from .masks import causal_mask
from .positions import RotaryPositions


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Return attention by PyTorch's fused kernel; True in a boolean mask means may look."""
    if mask is not None and mask.is_floating_point():
        mask = mask.to(q.dtype)
    if causal and (mask is not None or q.shape[2] != k.shape[2]):
        seen = causal_mask(q.shape[2], k.shape[2], device=q.device)
        if mask is None or mask.dtype == torch.bool:
            mask = seen if mask is None else mask & seen
        else:
            mask = mask.masked_fill(~seen, -torch.inf)
        causal = False
    return F.scaled_dot_product_attention(
        q,
        k,
        v,
        attn_mask=mask,
        is_causal=causal,
        scale=scale,
        enable_gqa=q.shape[1] != k.shape[1],
    )


class ScaledDotProductAttention(nn.Module):
    """softmax(q kᵀ / √d) v. Shapes: q (B, h, T, d), k (B, g, S, d), v (B, g, S, e)."""

    def __init__(self, causal: bool = False, scale: float | None = None) -> None:
        super().__init__()
        self.causal, self.scale = causal, scale

    def forward(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        return attend(q, k, v, mask, causal=self.causal, scale=self.scale)


class MultiHeadAttention(nn.Module):
    """Attention in several heads, of x (B, T, D) to itself or to memory (B, S, D)."""

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        num_kv_heads: int | None = None,
        bias: bool = True,
        causal: bool = False,
        rotary_base: float | None = None,
    ) -> None:
        super().__init__()
        self.embed_dim, self.num_heads, self.causal = embed_dim, num_heads, causal
        self.kv_heads = num_heads if num_kv_heads is None else num_kv_heads
        self.head_dim = embed_dim // num_heads
        rows = embed_dim + 2 * self.kv_heads * self.head_dim
        self.in_proj_weight = nn.Parameter(torch.empty(rows, embed_dim))
        nn.init.xavier_uniform_(self.in_proj_weight)
        self.in_proj_bias = nn.Parameter(torch.zeros(rows)) if bias else None
        self.out_proj = linear(embed_dim, embed_dim, bias=bias)
        self.rotary = None if rotary_base is None else RotaryPositions(self.head_dim, rotary_base)

    def forward(
        self, x: Tensor, memory: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        q, k, v = self.project(x, memory)
        attended = attend(q, k, v, mask, causal=self.causal)
        return self.out_proj(attended.transpose(1, 2).flatten(2))

    def project(self, x: Tensor, memory: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return q (B, h, T, d), k and v (B, g, S, d)."""
        width = self.kv_heads * self.head_dim
        if memory is None:
            qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias)
            q, k, v = qkv.split([self.embed_dim, width, width], dim=-1)
        else:
            sizes = [self.embed_dim, 2 * width]
            w_q, w_kv = self.in_proj_weight.split(sizes)
            b_q, b_kv = (
                (None, None) if self.in_proj_bias is None else self.in_proj_bias.split(sizes)
            )
            q = F.linear(x, w_q, b_q)
            k, v = F.linear(memory, w_kv, b_kv).chunk(2, dim=-1)
        q = self._heads(q, self.num_heads)
        k, v = self._heads(k, self.kv_heads), self._heads(v, self.kv_heads)
        if self.rotary is not None:
            q, k = self.rotary(q), self.rotary(k)
        return q, k, v

    def _heads(self, x: Tensor, heads: int) -> Tensor:
        return x.unflatten(-1, (heads, self.head_dim)).transpose(1, 2)
