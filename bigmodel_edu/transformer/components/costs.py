"""Costs, and what judges them from outside."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from bigmodel_edu.components import FunctionComponent, Results, Trial

from .layers import FF, HEADS, KV_HEADS, D


def counted_flops(run: Callable[[], Any]) -> int:
    """Return the FLOPs that PyTorch counts while `run` runs."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    return counter.get_total_flops()


def flops_counted_by_torch(trial: Trial) -> Results:
    """Return the same, counted by PyTorch as it runs them on no data."""
    from .. import torch_impl

    def zeros(*shape: int) -> Any:
        return torch.zeros(*shape, device="meta")

    def on_meta(module: torch.nn.Module, *shape: int) -> int:
        return counted_flops(lambda: module.to("meta")(zeros(*shape)))

    def attention_by_products() -> None:
        weights = zeros(12, 7, 13) @ zeros(12, 13, 11)
        weights @ zeros(12, 11, 13)

    def lstm_by_products() -> None:
        for _ in range(7):
            zeros(2, 3) @ zeros(3, 44)
            zeros(2, 11) @ zeros(11, 44)

    return {
        "attention": counted_flops(attention_by_products),
        "layer": on_meta(torch_impl.EncoderLayer(D, HEADS, FF), 2, 7, D),
        "block": on_meta(torch_impl.DecoderBlock(D, HEADS, FF, KV_HEADS), 2, 7, D),
        "lstm": counted_flops(lstm_by_products),
    }


def flops_of(module: Any) -> dict:
    """Return the FLOPs of an attention, an encoder layer, a decoder block and an LSTM."""
    return {
        "attention": module.attention_flops(2, 6, 7, 11, 13),
        "layer": module.layer_flops(2, 7, D, FF, HEADS),
        "block": module.layer_flops(2, 7, D, FF, HEADS, KV_HEADS, feed_forward_matrices=3),
        "lstm": module.lstm_flops(2, 7, 3, 11),
    }


FLOPS = FunctionComponent(
    name="transformer.flops",
    call=flops_of,
    oracles={"torch.utils.flop_counter": flops_counted_by_torch},
    runs_on_cupy=False,
)
