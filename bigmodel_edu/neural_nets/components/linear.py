"""The linear layer, and what judges it from outside."""

import torch

from bigmodel_edu.components import LayerComponent, torch_module

from .layers import D, H, bench_layer, normal

LINEAR = LayerComponent(
    name="neural_nets.linear",
    build=lambda m: m.Linear(7, 3),
    inputs=normal(7),
    oracles={"torch.nn.Linear": torch_module(lambda: torch.nn.Linear(7, 3))},
    bench=bench_layer(lambda m: m.Linear(D, H), lambda: torch.nn.Linear(D, H)),
)
