"""Decoding with a key-value cache in PyTorch: each step computes the newest token only."""

from collections.abc import Callable
from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..torch_impl import DecoderLayer, FeedForward, MultiHeadAttention, Transformer, attend


class IncrementalDecoder:
    """The decoder of a Transformer at work on sources (B, S); it remembers all tokens so far.

    `step` gives the numbers that `Transformer.decode` gives for the last of all tokens so far, at
    the cost of one token: keys and values of the earlier ones are kept, those of the memory are
    computed once.
    """

    def __init__(self, model: Transformer, source: Tensor) -> None:
        self.model, self.length = model, 0
        self.memory_mask = model.source_mask(source)
        memory = model.encode(source)
        layers = model.decoder.layers
        self.memories = [layer.multihead_attn.project(memory, memory)[1:] for layer in layers]
        self.past: list[tuple[Tensor, Tensor] | None] = [None for _ in layers]

    def step(self, tokens: Tensor) -> Tensor:
        """Return the logits (B, V) that follow the next target tokens (B,)."""
        model = self.model
        x = model.target_embedding(tokens[:, None]) * sqrt(model.d_model)
        x = model.target_positions(x, offset=self.length)
        for number, layer in enumerate(model.decoder.layers):
            x = self._layer(number, layer, x)
        self.length += 1
        if model.decoder.norm is not None:
            x = model.decoder.norm(x)
        return F.linear(x[:, 0], model.target_embedding.weight)

    def _layer(self, number: int, layer: DecoderLayer, x: Tensor) -> Tensor:
        def residual(x: Tensor, norm: nn.Module, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
            return x + sublayer(norm(x)) if layer.norm_first else norm(x + sublayer(x))

        x = residual(x, layer.norm1, lambda h: self._look_back(number, layer.self_attn, h))
        x = residual(x, layer.norm2, lambda h: self._look_over(number, layer.multihead_attn, h))
        return residual(x, layer.norm3, lambda h: FeedForward.forward(layer, h))

    def _look_back(self, number: int, attention: MultiHeadAttention, x: Tensor) -> Tensor:
        """Attend to all tokens so far, x (B, 1, D) the last of them."""
        q, k, v = attention.project(x)
        if self.past[number] is not None:
            before = self.past[number]
            k, v = torch.cat([before[0], k], dim=2), torch.cat([before[1], v], dim=2)
        self.past[number] = k, v
        return attention.out_proj(attend(q, k, v).transpose(1, 2).flatten(2))

    def _look_over(self, number: int, attention: MultiHeadAttention, x: Tensor) -> Tensor:
        """Attend to the memory."""
        keys, values = self.memories[number]
        q = attention.project(x, x)[0]
        y = attend(q, keys, values, self.memory_mask)
        return attention.out_proj(y.transpose(1, 2).flatten(2))
