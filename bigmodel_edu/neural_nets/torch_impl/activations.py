"""The activations in PyTorch."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Sigmoid(nn.Module):
    """The logistic sigmoid."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x)


class Tanh(nn.Module):
    """The hyperbolic tangent."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x)


class ReLU(nn.Module):
    """The rectified linear unit."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x)


class GELU(nn.Module):
    """The Gaussian error linear unit, exact ("none") or in its tanh form ("tanh")."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x, approximate=self.approximate)


class Softmax(nn.Module):
    """The softmax along the last axis."""

    def forward(self, z: Tensor) -> Tensor:
        return F.softmax(z, dim=-1)
