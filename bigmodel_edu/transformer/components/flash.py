"""FlashAttention, and what judges it from outside."""

from typing import Any

import numpy as np
import scipy.special

from bigmodel_edu.components import FunctionComponent, Results, Trial, outputs

from .attention import attention, attention_bench, queries_keys_values, sdpa


def attention_of_lengths(trial: Trial) -> Results:
    """Return SciPy's softmax of the scores, sequence by sequence, each cut to its length."""
    q, k, v = trial.inputs.values()
    rows = []
    for n, length in enumerate(trial.mode()["lengths"]):
        scores = q[n] @ k[n, :, :length].swapaxes(-1, -2) / np.sqrt(q.shape[-1])
        rows.append(scipy.special.softmax(scores, axis=-1) @ v[n, :, :length])
    return {"y": np.stack(rows)}


def whole_from_tiles(module: Any, s: Any, v: Any) -> Any:
    """Return attention from scores s (batch, 7) and values v (7, 3), in two tiles of keys."""

    def tile(columns: slice) -> tuple:
        m = s[:, columns].max(axis=-1, keepdims=True)
        exponentials = np.exp(s[:, columns] - m)
        return m, exponentials.sum(axis=-1, keepdims=True), exponentials @ v[columns]

    _, total, weighted = module.merge_tiles(tile(slice(3)), tile(slice(3, None)))
    return weighted / total


FLASH_ATTENTION = attention(
    "flash_attention",
    lambda m: m.FlashAttention(block_q=3, block_k=4),
    inputs=queries_keys_values(3, 3),
    oracles=sdpa(),
    bench=attention_bench(lambda m: m.FlashAttention(), (1, 8, 1024, 64)),
)

FLASH_ATTENTION_CAUSAL = attention(
    "flash_attention_causal",
    lambda m: m.FlashAttention(causal=True, block_q=4, block_k=3),
    inputs=queries_keys_values(6, 3, n_queries=11),
    derived_sizes=(6,),
    oracles=sdpa(is_causal=True, enable_gqa=True),
    bench=attention_bench(
        lambda m: m.FlashAttention(causal=True), (1, 8, 1024, 64), is_causal=True
    ),
)

FLASH_ATTENTION_LENGTHS = attention(
    "flash_attention_lengths",
    lambda m: m.FlashAttention(block_q=3, block_k=4),
    inputs=queries_keys_values(3, 3, fixed_batch=5),
    mode=lambda inputs: {"lengths": 1 + np.arange(len(inputs["q"])) * 3 % 11},
    oracles={"scipy.special.softmax": attention_of_lengths},
)

MERGE_TILES = FunctionComponent(
    name="transformer.merge_tiles",
    inputs=lambda rng, batch: {
        "s": 30 * rng.normal(size=(batch, 7)),
        "v": rng.normal(size=(7, 3)),
    },
    call=whole_from_tiles,
    oracles={"scipy.special.softmax": outputs(lambda s, v: scipy.special.softmax(s, axis=-1) @ v)},
)
