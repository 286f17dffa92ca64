"""The encoder layer, and what judges it from outside."""

from typing import Any

import torch

from bigmodel_edu.components import Component, LayerComponent, Oracle, torch_module

from .hugging_face import hugging_face
from .layers import FF, HEADS, D, inverted, random_mask, sequence_bench, sequences, torch_layer


class TorchEncoderLayer(torch.nn.TransformerEncoderLayer):
    """`torch.nn.TransformerEncoderLayer` with the arguments of ours."""

    def forward(self, x: Any, mask: Any = None) -> Any:
        return super().forward(x, src_mask=inverted(mask))


def gpt2_block() -> torch.nn.Module:
    from transformers import GPT2Config
    from transformers.models.gpt2.modeling_gpt2 import GPT2Block

    config = GPT2Config(n_embd=D, n_head=HEADS, n_inner=FF, attn_implementation="sdpa")
    return GPT2Block(config, layer_idx=0)


def gpt2_state(params: dict) -> dict:
    """Return our parameters under GPT-2's names; its matrices are transposed."""
    names = {
        "self_attn.in_proj_": "attn.c_attn.",
        "self_attn.out_proj.": "attn.c_proj.",
        "linear1.": "mlp.c_fc.",
        "linear2.": "mlp.c_proj.",
        "norm1.": "ln_1.",
        "norm2.": "ln_2.",
    }
    renamed = {}
    for name, value in params.items():
        ours = next(prefix for prefix in names if name.startswith(prefix))
        renamed[names[ours] + name.removeprefix(ours)] = value.T if value.ndim == 2 else value
    return renamed


def bert_layer() -> torch.nn.Module:
    from transformers import BertConfig
    from transformers.models.bert.modeling_bert import BertLayer

    config = BertConfig(
        hidden_size=D,
        num_attention_heads=HEADS,
        intermediate_size=FF,
        layer_norm_eps=1e-5,
        attn_implementation="sdpa",
    )
    return BertLayer(config)


def bert_state(params: dict) -> dict:
    """Return our parameters under BERT's names; it has three projections for our one."""
    names = {
        "self_attn.out_proj": "attention.output.dense",
        "norm1": "attention.output.LayerNorm",
        "linear1": "intermediate.dense",
        "linear2": "output.dense",
        "norm2": "output.LayerNorm",
    }
    renamed = {}
    for kind in ("weight", "bias"):
        parts = params[f"self_attn.in_proj_{kind}"].chunk(3)
        for part, value in zip(("query", "key", "value"), parts, strict=True):
            renamed[f"attention.self.{part}.{kind}"] = value
        renamed |= {f"{theirs}.{kind}": params[f"{ours}.{kind}"] for ours, theirs in names.items()}
    return renamed


def oracle_of_encoder(**options: Any) -> dict[str, Oracle]:
    """Return PyTorch's encoder layer as an oracle."""
    return {
        "torch.nn.TransformerEncoderLayer": torch_module(
            lambda: torch_layer(TorchEncoderLayer, D, HEADS, FF, **options)
        )
    }


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


ENCODER_LAYER = encoder_layer(
    "encoder_layer",
    oracle_of_encoder(),
    bench=sequence_bench(
        lambda m: m.EncoderLayer(256, 8, 1024),
        lambda: torch_layer(TorchEncoderLayer, 256, 8, 1024),
    ),
)

ENCODER_LAYER_PRE_NORM = encoder_layer(
    "encoder_layer_pre_norm",
    oracle_of_encoder(norm_first=True),
    norm_first=True,
    mode=lambda inputs: {"mask": random_mask(7, 7)},
)

ENCODER_LAYER_BERT = encoder_layer(
    "encoder_layer_bert",
    oracle_of_encoder(activation="gelu")
    | {"transformers.BertLayer": hugging_face(bert_layer, bert_state)},
    activation="gelu",
)

ENCODER_LAYER_GPT2 = encoder_layer(
    "encoder_layer_gpt2",
    {"transformers.GPT2Block": hugging_face(gpt2_block, gpt2_state)},
    activation="gelu_tanh",
    norm_first=True,
    causal=True,
)
