"""The simple recurrent network in PyTorch."""

from torch import nn

from .recurrent import Recurrent


class RNNCell(nn.RNNCell):
    """One step of a tanh network. Shapes: x (B, D), h (B, H)."""


class RNN(Recurrent, nn.RNN):
    """Layers of tanh cells over a sequence; returns y, h_n."""
