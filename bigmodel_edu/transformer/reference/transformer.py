"""The encoder-decoder."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import ClassVar, Literal

import numpy as np

from bigmodel_edu.errors import HyperparameterError, LengthError
from bigmodel_edu.layer import (
    Array,
    BackwardPass,
    Cache,
    Composite,
    ForwardPass,
    Gradients,
    Layer,
    Params,
    expect_count,
    expect_shape,
    expect_tokens,
    numbered,
    with_prefix,
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
class Transformer(Composite):
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
        super().__post_init__()

    def named_parts(self) -> dict[str, Layer]:
        d, n = self.d_model, self.num_layers
        options = (d, self.num_heads, self.d_ff, self.dropout, self.activation, self.norm_first)
        norm = {"norm": self.Norm(d)} if self.norm_first else {}
        return {
            "source_embedding": self.Embedding(self.source_vocabulary, d),
            "source_positions": self.position_layer,
            "target_embedding": self.Embedding(self.target_vocabulary, d),
            "target_positions": self.position_layer,
            **numbered("encoder.layers", n * [self.Encoder(*options)]),
            **with_prefix("encoder", norm),
            **numbered("decoder.layers", n * [self.Decoder(*options)]),
            **with_prefix("decoder", norm),
            "dropout": Dropout(self.dropout),
        }

    @property
    def position_layer(self) -> Layer:
        if self.positions == "learned":
            return LearnedPositions(self.max_length, self.d_model)
        return SinusoidalPositions(self.d_model, self.position_base)

    def init(self, rng: np.random.Generator) -> Params:
        params = super().init(rng)
        for side in ("source", "target"):
            # times √D the vectors have variance 1, and so have the logits of normed outputs
            params[f"{side}_embedding.weight"] *= 1 / sqrt(self.d_model)
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
        run = ForwardPass(self, params, training=training, rng=rng)
        memory = self._encode(run, source)
        logits, x = self._decode(run, target, memory, self.source_mask(source))
        return logits, run.cache(x)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        back = BackwardPass(self, params, cache)
        d_memory = self._decode_backward(back, dy)
        self._encode_backward(back, d_memory)
        return (None, None), back.grads

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
        run = ForwardPass(self, params, training=training, rng=rng)
        return self._encode(run, source), run.cache()

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
        run = ForwardPass(self, params, training=training, rng=rng)
        logits, x = self._decode(run, target, memory, memory_mask)
        return logits, run.cache(x)

    def start(
        self, params: Params, source: Array, *, max_length: int | None = None
    ) -> DecoderState:
        """Encode the source and return the state with which `step` decodes, token by token."""
        run = ForwardPass(self, params)
        memory = self._encode(run, source)
        room = self.max_length if max_length is None else max_length
        caches, memories = [], []
        for name in self.names("decoder.layers"):
            attention = self.part(name).self_attn
            memories.append(run(name, memory, method="keys_and_values"))
            caches.append(
                KeyValueCache.empty(
                    len(source), attention.kv_heads, room, attention.head_dim, like=memory
                )
            )
        return DecoderState(caches, memories, self.source_mask(source))

    def step(self, params: Params, tokens: Array, state: DecoderState) -> Array:
        """Return the logits (B, V) that follow the next target tokens (B,); the state moves on."""
        run = ForwardPass(self, params)
        tokens = tokens[:, None]
        expect_token_rows("tokens", tokens, self.target_vocabulary)
        x = self._embed(run, "target", tokens, offset=state.length)
        remembered = zip(state.caches, state.memories, strict=True)
        for name, (cache, (keys, values)) in zip(
            self.names("decoder.layers"), remembered, strict=True
        ):
            x = run(name, x, cache, keys, values, memory_mask=state.memory_mask, method="step")
        if self.norm_first:
            x = run("decoder.norm", x)
        return self._logits(params, x)[:, 0]

    def _encode(self, run: ForwardPass, source: Array) -> Array:
        mask = self.source_mask(expect_token_rows("source", source, self.source_vocabulary))
        x = self._embed(run, "source", source)
        for name in self.names("encoder.layers"):
            x = run(name, x, mask=mask)
        return run("encoder.norm", x) if self.norm_first else x

    def _encode_backward(self, back: BackwardPass, d_memory: Array) -> None:
        dx = d_memory
        if self.norm_first:
            (dx,) = back("encoder.norm", dx)
        for name in reversed(self.names("encoder.layers")):
            (dx,) = back(name, dx)
        self._embed_backward(back, "source", dx)

    def _decode(
        self, run: ForwardPass, target: Array, memory: Array, memory_mask: Array
    ) -> tuple[Array, Array]:
        """Return the logits, and the vectors x (B, T, D) that they are made of."""
        expect_token_rows("target", target, self.target_vocabulary)
        x = self._embed(run, "target", target)
        for name in self.names("decoder.layers"):
            x = run(name, x, memory, memory_mask=memory_mask)
        if self.norm_first:
            x = run("decoder.norm", x)
        return self._logits(run.params, x), x

    def _decode_backward(self, back: BackwardPass, d_logits: Array) -> Array:
        """Return the gradient of the memory."""
        dx = self._logits_backward(back, d_logits)
        if self.norm_first:
            (dx,) = back("decoder.norm", dx)
        d_memory = 0
        for name in reversed(self.names("decoder.layers")):
            dx, d_layer_memory = back(name, dx)
            d_memory = d_memory + d_layer_memory  # every layer looked at the same memory
        self._embed_backward(back, "target", dx)
        return d_memory

    def _embed(self, run: ForwardPass, side: str, tokens: Array, *, offset: int = 0) -> Array:
        """Return the vectors (B, T, D) of tokens, times √D, with their positions."""
        expect_at_most(offset + tokens.shape[1], self.max_length)
        x = run(f"{side}_embedding", tokens) * sqrt(self.d_model)
        x = run(f"{side}_positions", x, offset=offset)
        return run("dropout", x)

    def _embed_backward(self, back: BackwardPass, side: str, dx: Array) -> None:
        (dx,) = back("dropout", dx)
        (dx,) = back(f"{side}_positions", dx)
        back(f"{side}_embedding", dx * sqrt(self.d_model))

    def _logits(self, params: Params, x: Array) -> Array:
        # z = x Eᵀ
        embedding = self.params_of("target_embedding", params)["weight"]
        return (x.reshape(-1, self.d_model) @ embedding.T).reshape(*x.shape[:2], -1)

    def _logits_backward(self, back: BackwardPass, d_logits: Array) -> Array:
        # dx = dz E,  dE = dzᵀ x; the same matrix embeds the target, and its two gradients add up
        (x,) = back.own
        embedding = self.params_of("target_embedding", back.params)["weight"]
        d_rows = d_logits.reshape(-1, self.target_vocabulary)
        back.add("target_embedding", {"weight": d_rows.T @ x.reshape(-1, self.d_model)})
        return (d_rows @ embedding).reshape(x.shape)


def expect_token_rows(name: str, tokens: Array, vocabulary: int) -> Array:
    """Return `tokens` (B, T); raise unless they are rows of tokens of the vocabulary."""
    expect_shape(name, tokens, "B", "T")
    expect_tokens(name, tokens, vocabulary)
    return tokens
