"""The encoder-decoder."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import ClassVar, Literal

import numpy as np

from bigmodel_edu.errors import HyperparameterError, LengthError
from bigmodel_edu.layer import (
    Array,
    Cache,
    Gradients,
    Layer,
    Params,
    expect_count,
    expect_shape,
    expect_tokens,
    with_prefix,
    without_prefix,
)
from bigmodel_edu.lstm.reference import Embedding
from bigmodel_edu.neural_nets.reference import Dropout, LayerNorm

from .cache import KeyValueCache
from .decoder_layer import DecoderLayer
from .encoder_layer import EncoderLayer
from .feed_forward import Activation
from .positions import LearnedPositions, SinusoidalPositions, expect_at_most


@dataclass
class DecoderState:
    """What decoding step by step remembers; unlike a layer it holds arrays and changes.

    For each layer the cache of the tokens so far, and the keys and values of the memory
    (B, h, S, d); `memory_mask` (B, 1, 1, S) is False where the source is padding.
    """

    caches: list[KeyValueCache]
    memories: list[tuple[Array, Array]]
    memory_mask: Array

    @property
    def length(self) -> int:
        """The number of tokens decoded so far."""
        return self.caches[0].length

    def select(self, rows: Array) -> DecoderState:
        """Return the state of some of the sequences, for beam search; rows may repeat."""
        return DecoderState(
            [cache.select(rows) for cache in self.caches],
            [(keys[rows], values[rows]) for keys, values in self.memories],
            self.memory_mask[rows],
        )


@dataclass(frozen=True)
class Transformer(Layer):
    """The encoder-decoder (Vaswani et al. 2017), from source and target tokens to logits.

    Tokens become vectors, times √D, plus positions; N = `num_layers` encoder layers turn the
    source into the memory, N decoder layers look at it; the logits are the products with the
    target embedding, which is the output layer too (section 3.4). Pre-norm stacks end with a norm,
    as in PyTorch. Dropout acts on the sums of embeddings and positions (section 5.4) and in the
    layers. Keys that are padding in the source are masked; padding comes last, so that under the
    causal mask no token of the target sees any.

    Shapes: source (B, S) and target (B, T) tokens, S and T ≤ `max_length`; logits (B, T, V), V =
    `target_vocabulary`. Parameters: source_embedding.weight, target_embedding.weight (V, D),
    encoder.layers.i.…, decoder.layers.i.…, with `norm_first` encoder.norm.… and decoder.norm.…,
    with learned positions source_positions.weight and target_positions.weight.
    """

    source_vocabulary: int
    target_vocabulary: int
    d_model: int
    num_heads: int
    num_layers: int
    d_ff: int
    dropout: float = 0.0
    activation: Activation = "relu"
    norm_first: bool = False
    padding_idx: int = 0
    max_length: int = 512
    positions: Literal["sinusoidal", "learned"] = "sinusoidal"
    position_base: float = 10000.0

    mode_dependent: ClassVar[bool] = True
    Encoder: ClassVar[type[Layer]] = EncoderLayer
    Decoder: ClassVar[type[Layer]] = DecoderLayer
    Norm: ClassVar[type[Layer]] = LayerNorm
    Embedding: ClassVar[type[Layer]] = Embedding

    def __post_init__(self) -> None:
        for name in ("source_vocabulary", "target_vocabulary", "num_layers", "max_length"):
            expect_count(name, getattr(self, name))
        if self.positions not in ("sinusoidal", "learned"):
            raise HyperparameterError(
                f'positions is {self.positions!r}, expected "sinusoidal" or "learned".'
            )
        self.encoder_layer, self.position_layer  # noqa: B018  (they check their numbers)

    @property
    def encoder_layer(self) -> Layer:
        return self.Encoder(*self._layer_options)

    @property
    def decoder_layer(self) -> Layer:
        return self.Decoder(*self._layer_options)

    @property
    def _layer_options(self) -> tuple:
        sizes = (self.d_model, self.num_heads, self.d_ff)
        return (*sizes, self.dropout, self.activation, self.norm_first)

    @property
    def position_layer(self) -> Layer:
        if self.positions == "learned":
            return LearnedPositions(self.max_length, self.d_model)
        return SinusoidalPositions(self.d_model, self.position_base)

    @property
    def source_embedding(self) -> Layer:
        return self.Embedding(self.source_vocabulary, self.d_model)

    @property
    def target_embedding(self) -> Layer:
        return self.Embedding(self.target_vocabulary, self.d_model)

    def init(self, rng: np.random.Generator) -> Params:
        params: Params = {}
        for side, size in (("source", self.source_vocabulary), ("target", self.target_vocabulary)):
            # times √D the vectors have variance 1, and so have the logits of normed outputs
            weight = rng.normal(0, 1 / sqrt(self.d_model), size=(size, self.d_model))
            params[f"{side}_embedding.weight"] = weight
            params |= with_prefix(f"{side}_positions", self.position_layer.init(rng))
        for stack, layer in (("encoder", self.encoder_layer), ("decoder", self.decoder_layer)):
            for i in range(self.num_layers):
                params |= with_prefix(f"{stack}.layers.{i}", layer.init(rng))
            if self.norm_first:
                params |= with_prefix(f"{stack}.norm", self.Norm(self.d_model).init(rng))
        return params

    def forward(
        self,
        params: Params,
        source: Array,
        target: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Cache]:
        memory, encoder_cache = self.encode(params, source, training=training, rng=rng)
        logits, decoder_cache = self.decode(
            params, target, memory, self.source_mask(source), training=training, rng=rng
        )
        return logits, (encoder_cache, decoder_cache)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        encoder_cache, decoder_cache = cache
        d_memory, grads = self._decode_backward(params, decoder_cache, dy)
        return (None, None), grads | self._encode_backward(params, encoder_cache, d_memory)

    def source_mask(self, source: Array) -> Array:
        """Return the mask (B, 1, 1, S) of the source: True where it is no padding."""
        mask = source != self.padding_idx
        empty = ~mask.any(axis=1)
        if empty.any():
            raise LengthError(
                f"source[{int(np.flatnonzero(empty)[0])}] is all padding (token "
                f"{self.padding_idx}), expected at least one token to look at; leave it out."
            )
        return mask[:, None, None, :]

    def encode(
        self,
        params: Params,
        source: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Cache]:
        """Return the memory (B, S, D) of source tokens (B, S)."""
        mode = {"training": training, "rng": rng}
        mask = self.source_mask(expect_token_rows("source", source, self.source_vocabulary))
        x, embed_cache = self._embed(params, "source", source, **mode)
        caches = []
        for i in range(self.num_layers):
            own = without_prefix(f"encoder.layers.{i}", params)
            x, cache = self.encoder_layer.forward(own, x, mask=mask, **mode)
            caches.append(cache)
        memory, norm_cache = self._final_norm(params, "encoder", x)
        return memory, (embed_cache, caches, norm_cache)

    def decode(
        self,
        params: Params,
        target: Array,
        memory: Array,
        memory_mask: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Cache]:
        """Return the logits (B, T, V) that follow each of the target tokens (B, T)."""
        mode = {"training": training, "rng": rng}
        expect_token_rows("target", target, self.target_vocabulary)
        x, embed_cache = self._embed(params, "target", target, **mode)
        caches = []
        for i in range(self.num_layers):
            own = without_prefix(f"decoder.layers.{i}", params)
            x, cache = self.decoder_layer.forward(own, x, memory, memory_mask=memory_mask, **mode)
            caches.append(cache)
        x, norm_cache = self._final_norm(params, "decoder", x)
        return self._logits(params, x), (embed_cache, caches, norm_cache, x)

    def start(
        self, params: Params, source: Array, *, max_length: int | None = None
    ) -> DecoderState:
        """Encode the source and return the state with which `step` decodes, token by token."""
        memory, _ = self.encode(params, source)
        attention = self.decoder_layer.multihead_attn
        room = self.max_length if max_length is None else max_length
        caches, memories = [], []
        for i in range(self.num_layers):
            own = without_prefix(f"decoder.layers.{i}.multihead_attn", params)
            memories.append(attention.keys_and_values(own, memory))
            caches.append(
                KeyValueCache.empty(
                    len(source), attention.kv_heads, room, attention.head_dim, like=memory
                )
            )
        return DecoderState(caches, memories, self.source_mask(source))

    def step(self, params: Params, tokens: Array, state: DecoderState) -> Array:
        """Return the logits (B, V) that follow the next target tokens (B,); the state moves on."""
        tokens = tokens[:, None]
        expect_token_rows("tokens", tokens, self.target_vocabulary)
        x, _ = self._embed(params, "target", tokens, offset=state.length)
        for i in range(self.num_layers):
            x = self.decoder_layer.step(
                without_prefix(f"decoder.layers.{i}", params),
                x,
                state.caches[i],
                *state.memories[i],
                memory_mask=state.memory_mask,
            )
        x, _ = self._final_norm(params, "decoder", x)
        return self._logits(params, x)[:, 0]

    def _embed(
        self,
        params: Params,
        side: str,
        tokens: Array,
        *,
        offset: int = 0,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Cache]:
        """Return the vectors (B, T, D) of tokens, times √D, with their positions."""
        expect_at_most(offset + tokens.shape[1], self.max_length)
        embedding = getattr(self, f"{side}_embedding")
        x, embedding_cache = embedding.forward(without_prefix(f"{side}_embedding", params), tokens)
        x = x * sqrt(self.d_model)
        own = without_prefix(f"{side}_positions", params)
        x, position_cache = self.position_layer.forward(own, x, offset=offset)
        dropout = Dropout(self.dropout)
        x, dropout_cache = dropout.forward({}, x, training=training and dropout.p > 0, rng=rng)
        return x, (embedding_cache, position_cache, dropout_cache)

    def _embed_backward(self, params: Params, side: str, cache: Cache, dx: Array) -> Params:
        embedding_cache, position_cache, dropout_cache = cache
        (dx,), _ = Dropout(self.dropout).backward({}, dropout_cache, dx)
        own = without_prefix(f"{side}_positions", params)
        (dx,), d_positions = self.position_layer.backward(own, position_cache, dx)
        _, d_embedding = getattr(self, f"{side}_embedding").backward(
            without_prefix(f"{side}_embedding", params),
            embedding_cache,
            dx * sqrt(self.d_model),
        )
        return with_prefix(f"{side}_embedding", d_embedding) | with_prefix(
            f"{side}_positions", d_positions
        )

    def _final_norm(self, params: Params, stack: str, x: Array) -> tuple[Array, Cache]:
        if not self.norm_first:
            return x, None
        return self.Norm(self.d_model).forward(without_prefix(f"{stack}.norm", params), x)

    def _final_norm_backward(
        self, params: Params, stack: str, cache: Cache, dy: Array
    ) -> tuple[Array, Params]:
        if not self.norm_first:
            return dy, {}
        own = without_prefix(f"{stack}.norm", params)
        (dx,), grads = self.Norm(self.d_model).backward(own, cache, dy)
        return dx, with_prefix(f"{stack}.norm", grads)

    def _logits(self, params: Params, x: Array) -> Array:
        rows = x.reshape(-1, self.d_model) @ params["target_embedding.weight"].T
        return rows.reshape(*x.shape[:2], -1)

    def _decode_backward(
        self, params: Params, cache: Cache, d_logits: Array
    ) -> tuple[Array, Params]:
        embed_cache, caches, norm_cache, x = cache
        d_rows = d_logits.reshape(-1, self.target_vocabulary)
        dx = (d_rows @ params["target_embedding.weight"]).reshape(x.shape)
        dx, grads = self._final_norm_backward(params, "decoder", norm_cache, dx)
        d_memory = 0
        for i in reversed(range(self.num_layers)):
            own = without_prefix(f"decoder.layers.{i}", params)
            (dx, d_layer_memory), layer_grads = self.decoder_layer.backward(own, caches[i], dx)
            d_memory = d_memory + d_layer_memory  # every layer looked at the same memory
            grads |= with_prefix(f"decoder.layers.{i}", layer_grads)
        grads |= self._embed_backward(params, "target", embed_cache, dx)
        # the same matrix at both ends: its two gradients add up
        tied = grads["target_embedding.weight"] + d_rows.T @ x.reshape(-1, self.d_model)
        return d_memory, grads | {"target_embedding.weight": tied}

    def _encode_backward(self, params: Params, cache: Cache, d_memory: Array) -> Params:
        embed_cache, caches, norm_cache = cache
        dx, grads = self._final_norm_backward(params, "encoder", norm_cache, d_memory)
        for i in reversed(range(self.num_layers)):
            own = without_prefix(f"encoder.layers.{i}", params)
            (dx,), layer_grads = self.encoder_layer.backward(own, caches[i], dx)
            grads |= with_prefix(f"encoder.layers.{i}", layer_grads)
        return grads | self._embed_backward(params, "source", embed_cache, dx)


def expect_token_rows(name: str, tokens: Array, vocabulary: int) -> Array:
    """Return `tokens` (B, T); raise unless they are rows of tokens of the vocabulary."""
    expect_shape(name, tokens, "B", "T")
    expect_tokens(name, tokens, vocabulary)
    return tokens
