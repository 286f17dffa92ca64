"""Chapter 4 in PyTorch, as a practitioner would write it.

The modules take the hyperparameters of the reference and their `state_dict` has its keys. The
attention is `F.scaled_dot_product_attention`, which PyTorch runs as one fused kernel.
"""

from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bigmodel_edu.neural_nets.torch_impl import LayerNorm


def causal_mask(n_queries: int, n_keys: int | None = None, **options: object) -> Tensor:
    """Return the causal mask (T, S), the queries being the last of the keys."""
    n_keys = n_queries if n_keys is None else n_keys
    ones = torch.ones(n_queries, n_keys, dtype=torch.bool, **options)
    return ones.tril(n_keys - n_queries)


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


class FlashAttention(nn.Module):
    """The same; whether it works in tiles is PyTorch's choice, and so is their size."""

    def __init__(
        self,
        causal: bool = False,
        scale: float | None = None,
        block_q: int = 64,
        block_k: int = 64,
    ) -> None:
        super().__init__()
        self.causal, self.scale = causal, scale

    def forward(self, q: Tensor, k: Tensor, v: Tensor, lengths: Tensor | None = None) -> Tensor:
        mask = None
        if lengths is not None:
            keys = torch.arange(k.shape[2], device=k.device)
            mask = (keys < lengths[:, None])[:, None, None, :]
        return attend(q, k, v, mask, causal=self.causal, scale=self.scale)


class SinusoidalPositions(nn.Module):
    """Adds sines and cosines of the position. Shapes: x and y (B, T, D)."""

    def __init__(self, d_model: int, base: float = 10000.0) -> None:
        super().__init__()
        self.d_model, self.base = d_model, base

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        t = torch.arange(offset, offset + x.shape[1], device=x.device, dtype=torch.float64)
        i = torch.arange(0, self.d_model, 2, device=x.device, dtype=torch.float64)
        angle = torch.outer(t, self.base ** (-i / self.d_model))
        return x + torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1).to(x.dtype)


class LearnedPositions(nn.Module):
    """Adds a learned vector for each position. Shapes: x and y (B, T, D), weight (L, D)."""

    def __init__(self, max_length: int, d_model: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(max_length, d_model))

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        return x + self.weight[offset : offset + x.shape[1]]


class RotaryPositions(nn.Module):
    """Turns features i and i + d/2 by an angle that grows with the position. x, y (..., T, d)."""

    def __init__(self, head_dim: int, base: float = 10000.0) -> None:
        super().__init__()
        self.head_dim, self.base = head_dim, base

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        t = torch.arange(offset, offset + x.shape[-2], device=x.device, dtype=torch.float64)
        i = torch.arange(0, self.head_dim, 2, device=x.device, dtype=torch.float64)
        angle = torch.outer(t, self.base ** (-i / self.head_dim)).repeat(1, 2)
        first, second = x.chunk(2, dim=-1)
        turned = torch.cat([-second, first], dim=-1)
        return x * angle.cos().to(x.dtype) + turned * angle.sin().to(x.dtype)


class RMSNorm(nn.RMSNorm):
    """Division by the root mean square of the features. Shapes: x and y (..., D)."""

    def __init__(self, normalized_shape: int, eps: float = 1e-6) -> None:
        super().__init__(normalized_shape, eps=eps)


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


def linear(in_features: int, out_features: int, bias: bool = True) -> nn.Linear:
    """Return a linear layer with Xavier's weights and biases of zero."""
    layer = nn.Linear(in_features, out_features, bias=bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


ACTIVATIONS = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
}


class FeedForward(nn.Module):
    """Two linear layers with an activation between. Shapes: x and y (..., D)."""

    def __init__(self, d_model: int, d_ff: int, activation: str = "relu") -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.linear1, self.linear2 = linear(d_model, d_ff), linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.activation(self.linear1(x)))


class SwiGLU(nn.Module):
    """The gated feed-forward layer of Llama. Shapes: x and y (..., D)."""

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.gate_proj = linear(d_model, d_ff, bias=False)
        self.up_proj = linear(d_model, d_ff, bias=False)
        self.down_proj = linear(d_ff, d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


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


class Stack(nn.Module):
    """Layers one after the other, with a norm at the end if asked for."""

    def __init__(self, layers: list[nn.Module], norm: nn.Module | None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norm = norm

    def forward(self, x: Tensor, *inputs: Tensor, **masks: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x, *inputs, **masks)
        return x if self.norm is None else self.norm(x)


class Transformer(nn.Module):
    """The encoder-decoder, from source (B, S) and target (B, T) tokens to logits (B, T, V)."""

    def __init__(
        self,
        source_vocabulary: int,
        target_vocabulary: int,
        d_model: int,
        num_heads: int,
        num_layers: int,
        d_ff: int,
        dropout: float = 0.0,
        activation: str = "relu",
        norm_first: bool = False,
        padding_idx: int = 0,
        max_length: int = 512,
        positions: str = "sinusoidal",
        position_base: float = 10000.0,
    ) -> None:
        super().__init__()
        self.d_model, self.padding_idx = d_model, padding_idx
        self.source_embedding = nn.Embedding(source_vocabulary, d_model)
        self.target_embedding = nn.Embedding(target_vocabulary, d_model)
        for embedding in (self.source_embedding, self.target_embedding):
            nn.init.normal_(embedding.weight, std=1 / sqrt(d_model))

        def position_layer() -> nn.Module:
            if positions == "learned":
                return LearnedPositions(max_length, d_model)
            return SinusoidalPositions(d_model, position_base)

        def stack(layer: type[nn.Module]) -> Stack:
            options = (d_model, num_heads, d_ff, dropout, activation, norm_first)
            layers = [layer(*options) for _ in range(num_layers)]
            return Stack(layers, LayerNorm(d_model) if norm_first else None)

        self.source_positions, self.target_positions = position_layer(), position_layer()
        self.encoder, self.decoder = stack(EncoderLayer), stack(DecoderLayer)
        self.dropout = nn.Dropout(dropout)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        return self.decode(target, self.encode(source), self.source_mask(source))

    def source_mask(self, source: Tensor) -> Tensor:
        """Return the mask (B, 1, 1, S) of the source: True where it is no padding."""
        return (source != self.padding_idx)[:, None, None, :]

    def encode(self, source: Tensor) -> Tensor:
        """Return the memory (B, S, D) of source tokens (B, S)."""
        x = self.source_embedding(source) * sqrt(self.d_model)
        x = self.dropout(self.source_positions(x))
        return self.encoder(x, mask=self.source_mask(source))

    def decode(self, target: Tensor, memory: Tensor, memory_mask: Tensor) -> Tensor:
        """Return the logits (B, T, V) that follow each of the target tokens (B, T)."""
        x = self.target_embedding(target) * sqrt(self.d_model)
        x = self.dropout(self.target_positions(x))
        x = self.decoder(x, memory, memory_mask=memory_mask)
        return F.linear(x, self.target_embedding.weight)
