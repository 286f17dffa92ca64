"""Penalties and clipping in PyTorch."""

import torch
from torch import Tensor, nn


class L1Penalty(nn.Module):
    """λ Σ |w|."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, w: Tensor) -> Tensor:
        return self.strength * w.abs().sum()


class L2Penalty(nn.Module):
    """(λ / 2) Σ w²."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, w: Tensor) -> Tensor:
        return 0.5 * self.strength * w.square().sum()


def clip_gradients_by_norm(
    grads: dict[str, Tensor], max_norm: float
) -> tuple[dict[str, Tensor], Tensor]:
    """Shrink all gradients together to a norm of at most `max_norm`; return the old norm too."""
    norm = torch.linalg.vector_norm(
        torch.stack([torch.linalg.vector_norm(g) for g in grads.values()])
    )
    scale = (max_norm / (norm + 1e-6)).clamp(max=1)
    return {name: g * scale for name, g in grads.items()}, norm
