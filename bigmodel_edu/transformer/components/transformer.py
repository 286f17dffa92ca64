"""The encoder-decoder, and what judges it from outside."""

from typing import Any

import numpy as np
import torch

from bigmodel_edu.components import Component, LayerComponent, Oracle, torch_module

from .layers import FF, HEADS, D, torch_layer


class TorchTransformer(torch.nn.Module):
    """PyTorch's own encoder and decoder between embeddings, as the paper has them."""

    def __init__(self, vocabularies: tuple[int, int], d: int, heads: int, ff: int, **options: Any):
        super().__init__()
        self.source_embedding, self.target_embedding = (
            torch.nn.Embedding(size, d) for size in vocabularies
        )
        norms = [torch.nn.LayerNorm(d) if options["norm_first"] else None for _ in range(2)]
        encoder_layer = torch_layer(torch.nn.TransformerEncoderLayer, d, heads, ff, **options)
        decoder_layer = torch_layer(torch.nn.TransformerDecoderLayer, d, heads, ff, **options)
        self.encoder = torch.nn.TransformerEncoder(
            encoder_layer, 2, norms[0], enable_nested_tensor=False
        )
        self.decoder = torch.nn.TransformerDecoder(decoder_layer, 2, norms[1])
        angle = (
            torch.arange(100.0).double()[:, None] / 10000 ** (torch.arange(0, d, 2) / d).double()
        )
        self.positions = torch.stack([angle.sin(), angle.cos()], -1).reshape(100, d)

    def embed(self, embedding: Any, tokens: Any) -> Any:
        x = embedding(tokens) * self.positions.shape[1] ** 0.5
        return x + self.positions[: tokens.shape[1]].to(x.dtype)

    def forward(self, source: Any, target: Any) -> Any:
        padding = source == 0
        memory = self.encoder(
            self.embed(self.source_embedding, source), src_key_padding_mask=padding
        )
        n = target.shape[1]
        hidden = self.decoder(
            self.embed(self.target_embedding, target),
            memory,
            tgt_mask=~torch.ones(n, n, dtype=torch.bool).tril(),
            memory_key_padding_mask=padding,
        )
        return hidden @ self.target_embedding.weight.T


def oracle_of_transformer(**options: Any) -> dict[str, Oracle]:
    """Return PyTorch's encoder and decoder, between embeddings, as an oracle."""
    return {
        "torch.nn.TransformerEncoder, TransformerDecoder": torch_module(
            lambda: TorchTransformer((23, 29), D, HEADS, FF, **options)
        )
    }


def token_rows(rng: np.random.Generator, batch: int) -> dict:
    """Return source tokens (batch, 7) below 23 that end in padding, target tokens (batch, 11)."""
    source = rng.integers(1, 23, size=(batch, 7))
    source[np.arange(7) >= rng.integers(2, 8, size=(batch, 1))] = 0
    return {"source": source, "target": rng.integers(1, 29, size=(batch, 11))}


def transformer(name: str, oracles: dict[str, Oracle], **options: Any) -> Component:
    """Return the component of an encoder-decoder of two layers each."""
    return LayerComponent(
        name=f"transformer.{name}",
        build=lambda m: m.Transformer(23, 29, D, HEADS, 2, FF, **options),
        inputs=token_rows,
        derived_sizes=(D, 3 * D),
        oracles=oracles,
    )


TRANSFORMER = transformer("transformer", oracle_of_transformer(norm_first=False))

TRANSFORMER_PRE_NORM = transformer(
    "transformer_pre_norm",
    oracle_of_transformer(norm_first=True, activation="gelu"),
    norm_first=True,
    activation="gelu",
)

TRANSFORMER_LEARNED_POSITIONS = transformer(
    "transformer_learned_positions", {}, positions="learned", max_length=13
)
