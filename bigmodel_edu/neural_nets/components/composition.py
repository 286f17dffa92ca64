"""Layers one after the other, and what judges them from outside."""

import torch

from bigmodel_edu.components import BenchSize, LayerComponent, torch_module

from .layers import normal

SEQUENTIAL = LayerComponent(
    name="neural_nets.sequential",
    build=lambda m: m.Sequential((m.Linear(7, 3), m.LayerNorm(3), m.GELU(), m.Linear(3, 2))),
    inputs=normal(7),
    oracles={
        "torch.nn.Sequential": torch_module(
            lambda: torch.nn.Sequential(
                torch.nn.Linear(7, 3),
                torch.nn.LayerNorm(3),
                torch.nn.GELU(),
                torch.nn.Linear(3, 2),
            )
        )
    },
)

MLP = LayerComponent(
    name="neural_nets.mlp",
    build=lambda m: m.mlp((7, 11, 3, 2), activation="tanh", batch_norm=True),
    inputs=normal(7),
    mode=lambda inputs: {"training": True},
    oracles={
        "torch.nn.Sequential": torch_module(
            lambda: torch.nn.Sequential(
                torch.nn.Linear(7, 11),
                torch.nn.BatchNorm1d(11),
                torch.nn.Tanh(),
                torch.nn.Linear(11, 3),
                torch.nn.BatchNorm1d(3),
                torch.nn.Tanh(),
                torch.nn.Linear(3, 2),
            )
        )
    },
    bench=BenchSize(
        shape="(64, 64→128→64→10)",
        build=lambda m: m.mlp((64, 128, 64, 10)),
        inputs=lambda rng: {"x": rng.normal(size=(64, 64))},
        builtin=lambda: torch.nn.Sequential(
            torch.nn.Linear(64, 128),
            torch.nn.ReLU(),
            torch.nn.Linear(128, 64),
            torch.nn.ReLU(),
            torch.nn.Linear(64, 10),
        ),
        trains_on=lambda rng: rng.integers(0, 10, size=64),
    ),
)
