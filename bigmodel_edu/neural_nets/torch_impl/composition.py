"""Layers one after the other, in PyTorch."""

from collections.abc import Iterable
from itertools import pairwise

from torch import nn

from .activations import GELU, ReLU, Sigmoid, Tanh
from .dropout import Dropout
from .linear import Linear
from .normalization import BatchNorm1d


class Sequential(nn.Sequential):
    """Layers one after the other."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__(*layers)


ACTIVATIONS = {"relu": ReLU, "tanh": Tanh, "sigmoid": Sigmoid, "gelu": GELU}


def mlp(
    sizes: tuple[int, ...],
    *,
    activation: str = "relu",
    batch_norm: bool = False,
    dropout: float = 0.0,
) -> Sequential:
    """Return a multilayer perceptron: `sizes` = (inputs, hidden, …, outputs)."""
    layers: list[nn.Module] = []
    for inputs, hidden in pairwise(sizes[:-1]):
        layers.append(Linear(inputs, hidden))
        if batch_norm:
            layers.append(BatchNorm1d(hidden))
        layers.append(ACTIVATIONS[activation]())
        if dropout:
            layers.append(Dropout(dropout))
    return Sequential((*layers, Linear(sizes[-2], sizes[-1])))
