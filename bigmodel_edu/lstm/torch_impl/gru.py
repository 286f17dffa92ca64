"""The GRU in PyTorch."""

from torch import nn

from .recurrent import Recurrent


class GRUCell(nn.GRUCell):
    """One step of a GRU. Shapes: x (B, D), h (B, H)."""


class GRU(Recurrent, nn.GRU):
    """Layers of GRU cells over a sequence; returns y, h_n."""
