"""The components of chapter 4: what belongs together, and what judges it from outside."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special
import torch

from bigmodel_edu.components import (
    BenchSize,
    Component,
    FunctionComponent,
    LayerComponent,
    Oracle,
    outputs,
    torch_module,
)

from .oracles import (
    FF,
    HEADS,
    KV_HEADS,
    D,
    TorchAttention,
    TorchDecoderLayer,
    TorchEncoderLayer,
    TorchMultihead,
    attention_of_lengths,
    bert_layer,
    bert_state,
    bigram_model,
    flops_counted_by_torch,
    found_by_enumeration,
    gpt2_block,
    gpt2_state,
    hugging_face,
    llama_layer,
    llama_state,
    oracle_of_encoder,
    oracle_of_transformer,
    pairs_as_complex_numbers,
    rates_by_transformers,
    sdpa,
    sinusoids_one_by_one,
    torch_layer,
)

# Inputs and masks


def queries_keys_values(
    heads: int, kv_heads: int, n_queries: int = 7, n_keys: int = 11, fixed_batch: int | None = None
) -> Callable[[np.random.Generator, int], dict]:
    """Return inputs q (batch, heads, T, 13), k (batch, kv_heads, S, 13), v (…, S, 2)."""

    def draw(rng: np.random.Generator, batch: int) -> dict:
        batch = batch if fixed_batch is None else fixed_batch
        return {
            "q": rng.normal(size=(batch, heads, n_queries, 13)),
            "k": rng.normal(size=(batch, kv_heads, n_keys, 13)),
            "v": rng.normal(size=(batch, kv_heads, n_keys, 2)),
        }

    return draw


def sequences(*widths: int, lengths: tuple[int, ...] = (7, 11)) -> Callable[..., dict]:
    """Return inputs x (batch, 7, width) and, for a second width, memory (batch, 11, width)."""
    names = ("x", "memory")

    def draw(rng: np.random.Generator, batch: int) -> dict:
        return {
            name: rng.normal(size=(batch, length, width))
            for name, length, width in zip(names, lengths, widths, strict=False)
        }

    return draw


def random_mask(n_queries: int, n_keys: int) -> np.ndarray:
    """Return a boolean mask (T, S); every query may look at the key of its own number."""
    mask = np.random.default_rng(3).random((n_queries, n_keys)) < 0.6
    return mask | np.eye(n_queries, n_keys, dtype=bool)


def slopes() -> np.ndarray:
    """Return a mask of floats (3, 1, 11): for each head another preference for late keys."""
    return np.array([0.5, 0.25, 0.125])[:, None, None] * np.arange(11)


def token_rows(rng: np.random.Generator, batch: int) -> dict:
    """Return source tokens (batch, 7) below 23 that end in padding, target tokens (batch, 11)."""
    source = rng.integers(1, 23, size=(batch, 7))
    source[np.arange(7) >= rng.integers(2, 8, size=(batch, 1))] = 0
    return {"source": source, "target": rng.integers(1, 29, size=(batch, 11))}


# Function components


def whole_from_tiles(module: Any, s: Any, v: Any) -> Any:
    """Return attention from scores s (batch, 7) and values v (7, 3), in two tiles of keys."""

    def tile(columns: slice) -> tuple:
        m = s[:, columns].max(axis=-1, keepdims=True)
        exponentials = np.exp(s[:, columns] - m)
        return m, exponentials.sum(axis=-1, keepdims=True), exponentials @ v[columns]

    _, total, weighted = module.merge_tiles(tile(slice(3)), tile(slice(3, None)))
    return weighted / total


def found_by_beam_search(module: Any) -> dict:
    """Return the best hypothesis of a beam that is as wide as there are sequences."""
    best = module.beam_search(bigram_model, start=1, end=0, beam=300, max_length=4, alpha=0.7)[0]
    return {"tokens": np.array(best.tokens), "score": np.array(best.score)}


def flops_of(module: Any) -> dict:
    """Return the FLOPs of an attention, an encoder layer, a decoder block and an LSTM."""
    return {
        "attention": module.attention_flops(2, 6, 7, 11, 13),
        "layer": module.layer_flops(2, 7, D, FF, HEADS),
        "block": module.layer_flops(2, 7, D, FF, HEADS, KV_HEADS, feed_forward_matrices=3),
        "lstm": module.lstm_flops(2, 7, 3, 11),
    }


# The sizes at which speed is measured


def attention_bench(
    build: Callable[[Any], Any], shape: tuple[int, ...], **options: Any
) -> BenchSize:
    """Return the measured size of an attention of queries, keys and values of one shape."""
    return BenchSize(
        shape=str(shape),
        build=build,
        inputs=lambda rng: {name: rng.normal(size=shape) for name in ("q", "k", "v")},
        builtin=lambda: TorchAttention(**options),
    )


def sequence_bench(
    build: Callable[[Any], Any], builtin: Callable[[], Any] | None = None
) -> BenchSize:
    """Return the measured size of a layer on sequences (8, 128, 256)."""
    return BenchSize(
        shape="(8, 128, 256)",
        build=build,
        inputs=lambda rng: {"x": rng.normal(size=(8, 128, 256))},
        builtin=builtin,
    )


def attention(name: str, build: Callable[[Any], Any], **options: Any) -> Component:
    """Return the component of a scaled dot-product attention."""
    return LayerComponent(name=f"transformer.{name}", build=build, **options)


def multi_head(name: str, build: Callable[[Any], Any], rows: int, **options: Any) -> Component:
    """Return the component of a multi-head attention with that many rows of input projection."""
    return LayerComponent(
        name=f"transformer.{name}",
        build=build,
        derived_sizes=(D, rows),
        **({"inputs": sequences(D)} | options),
    )


def encoder_layer(name: str, oracles: dict[str, Oracle], **options: Any) -> Component:
    """Return the component of an encoder layer."""
    mode = options.pop("mode", lambda inputs: {})
    bench = options.pop("bench", None)
    return LayerComponent(
        name=f"transformer.{name}",
        build=lambda m: m.EncoderLayer(D, HEADS, FF, **options),
        inputs=sequences(D),
        mode=mode,
        derived_sizes=(D, 3 * D),
        oracles=oracles,
        bench=bench,
    )


def decoder_layer(name: str, norm_first: bool) -> Component:
    """Return the component of a decoder layer, against PyTorch's."""
    return LayerComponent(
        name=f"transformer.{name}",
        build=lambda m: m.DecoderLayer(D, HEADS, FF, norm_first=norm_first),
        inputs=sequences(D, D),
        mode=lambda inputs: {"mask": random_mask(7, 7), "memory_mask": random_mask(7, 11)},
        derived_sizes=(D, 3 * D),
        oracles={
            "torch.nn.TransformerDecoderLayer": torch_module(
                lambda: torch_layer(TorchDecoderLayer, D, HEADS, FF, norm_first=norm_first)
            )
        },
    )


def transformer(name: str, oracles: dict[str, Oracle], **options: Any) -> Component:
    """Return the component of an encoder-decoder of two layers each."""
    return LayerComponent(
        name=f"transformer.{name}",
        build=lambda m: m.Transformer(23, 29, D, HEADS, 2, FF, **options),
        inputs=token_rows,
        derived_sizes=(D, 3 * D),
        oracles=oracles,
    )


COMPONENTS: tuple[Component, ...] = (
    attention(
        "attention",
        lambda m: m.ScaledDotProductAttention(),
        inputs=queries_keys_values(3, 3),
        oracles=sdpa(),
        bench=attention_bench(lambda m: m.ScaledDotProductAttention(), (4, 8, 256, 64)),
    ),
    attention(
        "attention_masked",
        lambda m: m.ScaledDotProductAttention(scale=0.3),
        inputs=queries_keys_values(3, 3),
        mode=lambda inputs: {"mask": random_mask(7, 11)},
        oracles=sdpa(scale=0.3),
    ),
    attention(
        "attention_biased",
        lambda m: m.ScaledDotProductAttention(),
        inputs=queries_keys_values(3, 3),
        mode=lambda inputs: {"mask": slopes()},
        oracles=sdpa(),
    ),
    attention(
        "attention_causal",
        lambda m: m.ScaledDotProductAttention(causal=True),
        inputs=queries_keys_values(3, 3, n_queries=11),
        oracles=sdpa(is_causal=True),
    ),
    attention(
        "attention_grouped",
        lambda m: m.ScaledDotProductAttention(),
        inputs=queries_keys_values(6, 3),
        derived_sizes=(6,),
        oracles=sdpa(enable_gqa=True),
    ),
    attention(
        "flash_attention",
        lambda m: m.FlashAttention(block_q=3, block_k=4),
        inputs=queries_keys_values(3, 3),
        oracles=sdpa(),
        bench=attention_bench(lambda m: m.FlashAttention(), (1, 8, 1024, 64)),
    ),
    attention(
        "flash_attention_causal",
        lambda m: m.FlashAttention(causal=True, block_q=4, block_k=3),
        inputs=queries_keys_values(6, 3, n_queries=11),
        derived_sizes=(6,),
        oracles=sdpa(is_causal=True, enable_gqa=True),
        bench=attention_bench(
            lambda m: m.FlashAttention(causal=True), (1, 8, 1024, 64), is_causal=True
        ),
    ),
    attention(
        "flash_attention_lengths",
        lambda m: m.FlashAttention(block_q=3, block_k=4),
        inputs=queries_keys_values(3, 3, fixed_batch=5),
        mode=lambda inputs: {"lengths": 1 + np.arange(len(inputs["q"])) * 3 % 11},
        oracles={"scipy.special.softmax": attention_of_lengths},
    ),
    multi_head(
        "multi_head_attention",
        lambda m: m.MultiHeadAttention(D, HEADS),
        3 * D,
        oracles={
            "torch.nn.MultiheadAttention": torch_module(
                lambda: TorchMultihead(D, HEADS, batch_first=True)
            )
        },
        bench=sequence_bench(
            lambda m: m.MultiHeadAttention(256, 8),
            lambda: TorchMultihead(256, 8, batch_first=True),
        ),
    ),
    multi_head(
        "multi_head_attention_memory",
        lambda m: m.MultiHeadAttention(D, HEADS, bias=False),
        3 * D,
        inputs=sequences(D, D),
        mode=lambda inputs: {"mask": random_mask(7, 11)},
        oracles={
            "torch.nn.MultiheadAttention": torch_module(
                lambda: TorchMultihead(D, HEADS, bias=False, batch_first=True)
            )
        },
    ),
    multi_head(
        "grouped_query_attention",
        lambda m: m.MultiHeadAttention(D, HEADS, KV_HEADS, causal=True, rotary_base=100.0),
        2 * D,
    ),
    multi_head(
        "multi_query_attention",
        lambda m: m.MultiHeadAttention(D, HEADS, 1),
        D + 8,
        inputs=sequences(D, D),
    ),
    LayerComponent(
        name="transformer.sinusoidal_positions",
        build=lambda m: m.SinusoidalPositions(6),
        inputs=sequences(6),
        mode=lambda inputs: {"offset": 4},
        derived_sizes=(6,),
        oracles={"one by one": sinusoids_one_by_one},
    ),
    LayerComponent(
        name="transformer.learned_positions",
        build=lambda m: m.LearnedPositions(13, 3),
        inputs=sequences(3),
        mode=lambda inputs: {"offset": 4},
        oracles={"a slice": lambda t: {"y": t.inputs["x"] + t.params["weight"][4:11]}},
    ),
    LayerComponent(
        name="transformer.rotary_positions",
        build=lambda m: m.RotaryPositions(6),
        inputs=lambda rng, batch: {"x": rng.normal(size=(batch, 3, 7, 6))},
        mode=lambda inputs: {"offset": 4},
        derived_sizes=(6,),
        oracles={"complex numbers": pairs_as_complex_numbers},
        bench=BenchSize(
            shape="(4, 8, 256, 64)",
            build=lambda m: m.RotaryPositions(64),
            inputs=lambda rng: {"x": rng.normal(size=(4, 8, 256, 64))},
        ),
    ),
    LayerComponent(
        name="transformer.rms_norm",
        build=lambda m: m.RMSNorm(11),
        inputs=sequences(11),
        oracles={"torch.nn.RMSNorm": torch_module(lambda: torch.nn.RMSNorm(11, eps=1e-6))},
        bench=sequence_bench(lambda m: m.RMSNorm(256), lambda: torch.nn.RMSNorm(256, eps=1e-6)),
    ),
    LayerComponent(
        name="transformer.feed_forward",
        build=lambda m: m.FeedForward(11, 17, activation="gelu"),
        inputs=sequences(11),
    ),
    LayerComponent(
        name="transformer.swiglu",
        build=lambda m: m.SwiGLU(11, 17),
        inputs=sequences(11),
        bench=sequence_bench(lambda m: m.SwiGLU(256, 682)),
    ),
    encoder_layer(
        "encoder_layer",
        oracle_of_encoder(),
        bench=sequence_bench(
            lambda m: m.EncoderLayer(256, 8, 1024),
            lambda: torch_layer(TorchEncoderLayer, 256, 8, 1024),
        ),
    ),
    encoder_layer(
        "encoder_layer_pre_norm",
        oracle_of_encoder(norm_first=True),
        norm_first=True,
        mode=lambda inputs: {"mask": random_mask(7, 7)},
    ),
    encoder_layer(
        "encoder_layer_bert",
        oracle_of_encoder(activation="gelu")
        | {"transformers.BertLayer": hugging_face(bert_layer, bert_state)},
        activation="gelu",
    ),
    encoder_layer(
        "encoder_layer_gpt2",
        {"transformers.GPT2Block": hugging_face(gpt2_block, gpt2_state)},
        activation="gelu_tanh",
        norm_first=True,
        causal=True,
    ),
    decoder_layer("decoder_layer", norm_first=False),
    decoder_layer("decoder_layer_pre_norm", norm_first=True),
    transformer("transformer", oracle_of_transformer(norm_first=False)),
    transformer(
        "transformer_pre_norm",
        oracle_of_transformer(norm_first=True, activation="gelu"),
        norm_first=True,
        activation="gelu",
    ),
    transformer("transformer_learned_positions", {}, positions="learned", max_length=13),
    LayerComponent(
        name="transformer.decoder_block",
        build=lambda m: m.DecoderBlock(D, HEADS, FF, KV_HEADS),
        inputs=sequences(D),
        derived_sizes=(D, 2 * D),
        oracles={"transformers.LlamaDecoderLayer": hugging_face(llama_layer, llama_state)},
        bench=sequence_bench(lambda m: m.DecoderBlock(256, 8, 682, 4)),
    ),
    FunctionComponent(
        name="transformer.causal_mask",
        call=lambda m: m.causal_mask(5, 7),
        oracles={"torch.tril": outputs(lambda: torch.ones(5, 7).tril(2).bool().numpy())},
        runs_on_cupy=False,
    ),
    FunctionComponent(
        name="transformer.merge_tiles",
        inputs=lambda rng, batch: {
            "s": 30 * rng.normal(size=(batch, 7)),
            "v": rng.normal(size=(7, 3)),
        },
        call=whole_from_tiles,
        oracles={
            "scipy.special.softmax": outputs(lambda s, v: scipy.special.softmax(s, axis=-1) @ v)
        },
    ),
    FunctionComponent(
        name="transformer.beam_search",
        call=found_by_beam_search,
        oracles={"enumeration": found_by_enumeration},
        runs_on_cupy=False,
    ),
    FunctionComponent(
        name="transformer.inverse_square_root_warm_up",
        call=lambda m: np.array([m.InverseSquareRootWarmUp(64, 9)(step) for step in range(40)]),
        oracles={"transformers.get_inverse_sqrt_schedule": outputs(rates_by_transformers)},
        runs_on_cupy=False,
    ),
    FunctionComponent(
        name="transformer.flops",
        call=flops_of,
        oracles={"torch.utils.flop_counter": flops_counted_by_torch},
        runs_on_cupy=False,
    ),
)
