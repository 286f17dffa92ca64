"""The feed-forward layers in PyTorch."""

import torch.nn.functional as F
from torch import Tensor, nn

from .linear import linear

ACTIVATIONS = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
}


class FeedForward(nn.Module):
    """Two linear layers with an activation between. Shapes: x and y (..., D)."""

    def __init__(self, d_model: int, d_ff: int, activation: str = "relu") -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.linear1, self.linear2 = linear(d_model, d_ff), linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.activation(self.linear1(x)))


class SwiGLU(nn.Module):
    """The gated feed-forward layer of Llama. Shapes: x and y (..., D)."""

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.gate_proj = linear(d_model, d_ff, bias=False)
        self.up_proj = linear(d_model, d_ff, bias=False)
        self.down_proj = linear(d_ff, d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
