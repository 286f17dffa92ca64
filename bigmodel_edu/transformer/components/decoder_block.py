"""The block of today's decoders, and what judges it from outside."""

from typing import Any

import torch

from bigmodel_edu.components import LayerComponent

from .hugging_face import hugging_face
from .layers import FF, HEADS, KV_HEADS, D, sequence_bench, sequences


def llama_layer() -> torch.nn.Module:
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaDecoderLayer

    config = LlamaConfig(
        hidden_size=D,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        intermediate_size=FF,
        rms_norm_eps=1e-6,
        attn_implementation="sdpa",
    )
    layer = LlamaDecoderLayer(config, layer_idx=0)
    # Its own norm, and its table of angles, are in float32 whatever comes in: to compare float64,
    # PyTorch's norm takes the place of the one and the table is computed here.
    layer.input_layernorm = torch.nn.RMSNorm(D, eps=1e-6)
    layer.post_attention_layernorm = torch.nn.RMSNorm(D, eps=1e-6)
    layer.options = llama_options
    return layer


def llama_options(x: Any) -> dict:
    """Return the cosines and sines that a layer of Llama takes, (1, T, head size) each."""
    head_dim = D // HEADS
    frequencies = 10000.0 ** (-torch.arange(0, head_dim, 2).double() / head_dim)
    angle = torch.arange(x.shape[1]).double()[:, None] * frequencies
    angle = torch.cat([angle, angle], dim=-1)[None]
    return {"position_embeddings": (angle.cos().to(x.dtype), angle.sin().to(x.dtype))}


def llama_state(params: dict) -> dict:
    """Return our parameters under Llama's names."""
    width = KV_HEADS * D // HEADS
    q, k, v = params["self_attn.in_proj_weight"].split([D, width, width])
    return {
        "self_attn.q_proj.weight": q,
        "self_attn.k_proj.weight": k,
        "self_attn.v_proj.weight": v,
        "self_attn.o_proj.weight": params["self_attn.out_proj.weight"],
        "input_layernorm.weight": params["norm1.weight"],
        "post_attention_layernorm.weight": params["norm2.weight"],
    } | {
        f"mlp.{part}_proj.weight": params[f"feed_forward.{part}_proj.weight"]
        for part in ("gate", "up", "down")
    }


DECODER_BLOCK = LayerComponent(
    name="transformer.decoder_block",
    build=lambda m: m.DecoderBlock(D, HEADS, FF, KV_HEADS),
    inputs=sequences(D),
    derived_sizes=(D, 2 * D),
    oracles={"transformers.LlamaDecoderLayer": hugging_face(llama_layer, llama_state)},
    bench=sequence_bench(lambda m: m.DecoderBlock(256, 8, 682, 4)),
)
