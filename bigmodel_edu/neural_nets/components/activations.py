"""The activations, and what judges them from outside."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special
import torch

from bigmodel_edu.components import Component, LayerComponent, outputs, torch_module

from .layers import bench_layer, normal


def activation(name: str, build: Callable[[Any], Any], builtin: type, oracle: dict) -> Component:
    """Return the component of an elementwise function."""
    return LayerComponent(
        name=f"neural_nets.{name}",
        build=build,
        inputs=normal(7),
        oracles=oracle,
        bench=bench_layer(build, builtin),
    )


SIGMOID = activation(
    "sigmoid",
    lambda m: m.Sigmoid(),
    torch.nn.Sigmoid,
    {"scipy.special.expit": outputs(scipy.special.expit)},
)

TANH = activation(
    "tanh",
    lambda m: m.Tanh(),
    torch.nn.Tanh,
    {"exponentials": outputs(lambda x: (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1))},
)

RELU = activation(
    "relu",
    lambda m: m.ReLU(),
    torch.nn.ReLU,
    {"absolute value": outputs(lambda x: (x + np.abs(x)) / 2)},
)

GELU = activation(
    "gelu",
    lambda m: m.GELU(),
    torch.nn.GELU,
    {"scipy.stats.norm.cdf": outputs(lambda x: x * scipy.special.ndtr(x))},
)

GELU_TANH = activation(
    "gelu_tanh",
    lambda m: m.GELU(approximate="tanh"),
    lambda: torch.nn.GELU(approximate="tanh"),
    {"torch.nn.GELU": torch_module(lambda: torch.nn.GELU(approximate="tanh"))},
)

SOFTMAX = LayerComponent(
    name="neural_nets.softmax",
    build=lambda m: m.Softmax(),
    inputs=normal(7),
    oracles={"scipy.special.softmax": outputs(lambda z: scipy.special.softmax(z, axis=-1))},
    bench=bench_layer(lambda m: m.Softmax(), lambda: torch.nn.Softmax(dim=-1)),
)
