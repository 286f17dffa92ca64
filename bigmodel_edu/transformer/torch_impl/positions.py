"""Positions in PyTorch."""

import torch
from torch import Tensor, nn


class SinusoidalPositions(nn.Module):
    """Adds sines and cosines of the position. Shapes: x and y (B, T, D)."""

    def __init__(self, d_model: int, base: float = 10000.0) -> None:
        super().__init__()
        self.d_model, self.base = d_model, base

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        t = torch.arange(offset, offset + x.shape[1], device=x.device, dtype=torch.float64)
        i = torch.arange(0, self.d_model, 2, device=x.device, dtype=torch.float64)
        angle = torch.outer(t, self.base ** (-i / self.d_model))
        return x + torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1).to(x.dtype)


class LearnedPositions(nn.Module):
    """Adds a learned vector for each position. Shapes: x and y (B, T, D), weight (L, D)."""

    def __init__(self, max_length: int, d_model: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(max_length, d_model))

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        return x + self.weight[offset : offset + x.shape[1]]


class RotaryPositions(nn.Module):
    """Turns features i and i + d/2 by an angle that grows with the position. x, y (..., T, d)."""

    def __init__(self, head_dim: int, base: float = 10000.0) -> None:
        super().__init__()
        self.head_dim, self.base = head_dim, base

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        t = torch.arange(offset, offset + x.shape[-2], device=x.device, dtype=torch.float64)
        i = torch.arange(0, self.head_dim, 2, device=x.device, dtype=torch.float64)
        angle = torch.outer(t, self.base ** (-i / self.head_dim)).repeat(1, 2)
        first, second = x.chunk(2, dim=-1)
        turned = torch.cat([-second, first], dim=-1)
        return x * angle.cos().to(x.dtype) + turned * angle.sin().to(x.dtype)
