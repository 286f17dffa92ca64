"""Networks built from layers."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.layer import (
    Array,
    Cache,
    Gradients,
    Layer,
    Params,
    with_prefix,
    without_prefix,
)

from .activations import GELU, ReLU, Sigmoid, Tanh
from .dropout import Dropout
from .linear import Linear
from .normalization import BatchNorm1d

ACTIVATIONS = {"relu": ReLU, "tanh": Tanh, "sigmoid": Sigmoid, "gelu": GELU}


@dataclass(frozen=True)
class Sequential(Layer):
    """Layers one after the other; the chain rule walks back through them.

    The parameters of layer i have the prefix ``i.``, as in `torch.nn.Sequential`.
    """

    layers: tuple[Layer, ...]
    mode_dependent: ClassVar[bool] = True

    def init(self, rng: np.random.Generator) -> Params:
        params: Params = {}
        for i, layer in enumerate(self.layers):
            params |= with_prefix(str(i), layer.init(rng))
        return params

    def forward(
        self,
        params: Params,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Cache]:
        caches = []
        for i, layer in enumerate(self.layers):
            mode = {"training": training, "rng": rng} if layer.mode_dependent else {}
            x, cache = layer.forward(without_prefix(str(i), params), x, **mode)
            caches.append(cache)
        return x, caches

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        grads: Params = {}
        for i, layer in reversed(list(enumerate(self.layers))):
            (dy,), layer_grads = layer.backward(without_prefix(str(i), params), cache[i], dy)
            grads |= with_prefix(str(i), layer_grads)
        return (dy,), grads

    def updated_buffers(self, params: Params, cache: Cache) -> Params:
        buffers: Params = {}
        for i, layer in enumerate(self.layers):
            own = layer.updated_buffers(without_prefix(str(i), params), cache[i])
            buffers |= with_prefix(str(i), own)
        return buffers


def mlp(
    sizes: tuple[int, ...],
    *,
    activation: Literal["relu", "tanh", "sigmoid", "gelu"] = "relu",
    batch_norm: bool = False,
    dropout: float = 0.0,
) -> Sequential:
    """Return a multilayer perceptron: `sizes` = (inputs, hidden, …, outputs).

    Every hidden block is Linear, then BatchNorm1d if asked for, the activation, and Dropout if
    its rate is not zero; the last Linear gives the logits.
    """
    if len(sizes) < 2:
        raise HyperparameterError(
            f"sizes is {sizes}, expected at least the number of inputs and of outputs."
        )
    if activation not in ACTIVATIONS:
        raise HyperparameterError(
            f"activation is {activation!r}, expected one of {', '.join(ACTIVATIONS)}."
        )
    layers: list[Layer] = []
    for inputs, hidden in pairwise(sizes[:-1]):
        layers.append(Linear(inputs, hidden))
        if batch_norm:
            layers.append(BatchNorm1d(hidden))
        layers.append(ACTIVATIONS[activation]())
        if dropout:
            layers.append(Dropout(dropout))
    return Sequential((*layers, Linear(sizes[-2], sizes[-1])))
