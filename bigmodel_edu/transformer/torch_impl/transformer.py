"""The encoder-decoder in PyTorch."""

from math import sqrt

import torch.nn.functional as F
from torch import Tensor, nn

from bigmodel_edu.neural_nets.torch_impl import LayerNorm

from .decoder_layer import DecoderLayer
from .encoder_layer import EncoderLayer
from .positions import LearnedPositions, SinusoidalPositions


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
