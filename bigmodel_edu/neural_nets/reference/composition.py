"""Networks built from layers."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.layer import (
    Array,
    BackwardPass,
    Cache,
    Composite,
    ForwardPass,
    Gradients,
    Layer,
    Params,
)

from .activations import GELU, ReLU, Sigmoid, Tanh
from .dropout import Dropout
from .linear import Linear
from .normalization import BatchNorm1d

ACTIVATIONS = {"relu": ReLU, "tanh": Tanh, "sigmoid": Sigmoid, "gelu": GELU}


@dataclass(frozen=True)
class Sequential(Composite):
    """Layers one after the other; the chain rule walks back through them.

    The parameters of layer i have the prefix ``i.``, as in `torch.nn.Sequential`.
    """

    layers: tuple[Layer, ...]
    mode_dependent: ClassVar[bool] = True

    def named_parts(self) -> dict[str, Layer]:
        return {str(i): layer for i, layer in enumerate(self.layers)}

    def forward(
        self,
        params: Params,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Cache]:
        run = ForwardPass(self, params, training=training, rng=rng)
        for name in self.parts:
            x = run(name, x)
        return x, run.cache()

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        back = BackwardPass(self, params, cache)
        for name in reversed(self.parts):
            (dy,) = back(name, dy)
        return (dy,), back.grads


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
