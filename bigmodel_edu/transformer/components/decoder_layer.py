"""The decoder layer, and what judges it from outside."""

from typing import Any

import torch

from bigmodel_edu.components import Component, LayerComponent, torch_module

from .layers import FF, HEADS, D, inverted, random_mask, sequences, torch_layer


class TorchDecoderLayer(torch.nn.TransformerDecoderLayer):
    """`torch.nn.TransformerDecoderLayer` with the arguments of ours."""

    def forward(self, x: Any, memory: Any, mask: Any = None, memory_mask: Any = None) -> Any:
        causal = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
        mask = causal if mask is None else mask & causal
        return super().forward(x, memory, inverted(mask), inverted(memory_mask))


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


DECODER_LAYER = decoder_layer("decoder_layer", norm_first=False)

DECODER_LAYER_PRE_NORM = decoder_layer("decoder_layer_pre_norm", norm_first=True)
