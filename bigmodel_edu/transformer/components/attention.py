"""Attention, in one head and in several, and what judges it from outside."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from bigmodel_edu.components import BenchSize, Component, LayerComponent, Oracle, torch_module

from .layers import HEADS, KV_HEADS, D, inverted, random_mask, sequence_bench, sequences


class TorchAttention(torch.nn.Module):
    """`F.scaled_dot_product_attention` as a module."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def forward(self, q: Any, k: Any, v: Any, mask: Any = None) -> Any:
        if mask is not None and mask.is_floating_point():
            mask = mask.to(q.dtype)
        return F.scaled_dot_product_attention(q, k, v, mask, **self.options)


class TorchMultihead(torch.nn.MultiheadAttention):
    """`torch.nn.MultiheadAttention` with the arguments of ours."""

    def forward(self, x: Any, memory: Any = None, mask: Any = None) -> Any:
        memory = x if memory is None else memory
        y, _ = super().forward(x, memory, memory, attn_mask=inverted(mask), need_weights=False)
        return y


def sdpa(**options: Any) -> dict[str, Oracle]:
    """Return PyTorch's fused attention as an oracle."""
    return {"F.scaled_dot_product_attention": torch_module(lambda: TorchAttention(**options))}


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


def slopes() -> np.ndarray:
    """Return a mask of floats (3, 1, 11): for each head another preference for late keys."""
    return np.array([0.5, 0.25, 0.125])[:, None, None] * np.arange(11)


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


ATTENTION = attention(
    "attention",
    lambda m: m.ScaledDotProductAttention(),
    inputs=queries_keys_values(3, 3),
    oracles=sdpa(),
    bench=attention_bench(lambda m: m.ScaledDotProductAttention(), (4, 8, 256, 64)),
)

ATTENTION_MASKED = attention(
    "attention_masked",
    lambda m: m.ScaledDotProductAttention(scale=0.3),
    inputs=queries_keys_values(3, 3),
    mode=lambda inputs: {"mask": random_mask(7, 11)},
    oracles=sdpa(scale=0.3),
)

ATTENTION_BIASED = attention(
    "attention_biased",
    lambda m: m.ScaledDotProductAttention(),
    inputs=queries_keys_values(3, 3),
    mode=lambda inputs: {"mask": slopes()},
    oracles=sdpa(),
)

ATTENTION_CAUSAL = attention(
    "attention_causal",
    lambda m: m.ScaledDotProductAttention(causal=True),
    inputs=queries_keys_values(3, 3, n_queries=11),
    oracles=sdpa(is_causal=True),
)

ATTENTION_GROUPED = attention(
    "attention_grouped",
    lambda m: m.ScaledDotProductAttention(),
    inputs=queries_keys_values(6, 3),
    derived_sizes=(6,),
    oracles=sdpa(enable_gqa=True),
)

MULTI_HEAD_ATTENTION = multi_head(
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
)

MULTI_HEAD_ATTENTION_MEMORY = multi_head(
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
)

GROUPED_QUERY_ATTENTION = multi_head(
    "grouped_query_attention",
    lambda m: m.MultiHeadAttention(D, HEADS, KV_HEADS, causal=True, rotary_base=100.0),
    2 * D,
)

MULTI_QUERY_ATTENTION = multi_head(
    "multi_query_attention",
    lambda m: m.MultiHeadAttention(D, HEADS, 1),
    D + 8,
    inputs=sequences(D, D),
)
