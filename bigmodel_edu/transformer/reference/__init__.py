"""The NumPy reference of chapter 4, written to be read beside the equations."""

from .attention import MultiHeadAttention, ScaledDotProductAttention, join_heads, split_heads
from .cache import KeyValueCache
from .costs import (
    attention_bytes,
    attention_flops,
    kv_cache_bytes,
    layer_flops,
    layer_parameters,
    lstm_flops,
    matmul_flops,
)
from .decoder_block import DecoderBlock
from .decoder_layer import DecoderLayer
from .decoding import Hypothesis, beam_search, greedy_decode, length_penalty
from .encoder_layer import EncoderLayer
from .feed_forward import FeedForward, SwiGLU
from .flash import FlashAttention, merge_tiles
from .masks import causal_mask, combine, expect_mask, padding_mask
from .normalization import RMSNorm
from .positions import LearnedPositions, RotaryPositions, SinusoidalPositions
from .residual import Residual
from .schedules import InverseSquareRootWarmUp
from .transformer import DecoderState, Transformer

__all__ = [
    "DecoderBlock",
    "DecoderLayer",
    "DecoderState",
    "EncoderLayer",
    "FeedForward",
    "FlashAttention",
    "Hypothesis",
    "InverseSquareRootWarmUp",
    "KeyValueCache",
    "LearnedPositions",
    "MultiHeadAttention",
    "RMSNorm",
    "Residual",
    "RotaryPositions",
    "ScaledDotProductAttention",
    "SinusoidalPositions",
    "SwiGLU",
    "Transformer",
    "attention_bytes",
    "attention_flops",
    "beam_search",
    "causal_mask",
    "combine",
    "expect_mask",
    "greedy_decode",
    "join_heads",
    "kv_cache_bytes",
    "layer_flops",
    "layer_parameters",
    "length_penalty",
    "lstm_flops",
    "matmul_flops",
    "merge_tiles",
    "padding_mask",
    "split_heads",
]
