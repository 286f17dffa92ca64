"""The linear layer of this chapter, with Xavier's weights, in PyTorch."""

from torch import nn


def linear(in_features: int, out_features: int, bias: bool = True) -> nn.Linear:
    """Return a linear layer with Xavier's weights and biases of zero."""
    layer = nn.Linear(in_features, out_features, bias=bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer
