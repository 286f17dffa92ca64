"""Batch and layer normalisation, and what judges them from outside."""

import torch

from bigmodel_edu.components import LayerComponent, torch_module

from .layers import D, bench_layer, normal

BATCH_NORM = LayerComponent(
    name="neural_nets.batch_norm",
    build=lambda m: m.BatchNorm1d(7),
    inputs=normal(7),
    mode=lambda inputs: {"training": True},
    oracles={"torch.nn.BatchNorm1d": torch_module(lambda: torch.nn.BatchNorm1d(7))},
    bench=bench_layer(lambda m: m.BatchNorm1d(D), lambda: torch.nn.BatchNorm1d(D)),
)

BATCH_NORM_INFERENCE = LayerComponent(
    name="neural_nets.batch_norm_inference",
    build=lambda m: m.BatchNorm1d(7),
    inputs=normal(7),
    oracles={"torch.nn.BatchNorm1d": torch_module(lambda: torch.nn.BatchNorm1d(7))},
)

LAYER_NORM = LayerComponent(
    name="neural_nets.layer_norm",
    build=lambda m: m.LayerNorm(7),
    inputs=normal(7),
    oracles={"torch.nn.LayerNorm": torch_module(lambda: torch.nn.LayerNorm(7))},
    bench=bench_layer(lambda m: m.LayerNorm(D), lambda: torch.nn.LayerNorm(D)),
)
