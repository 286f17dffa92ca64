"""The optimizers in PyTorch.

Each is a frozen record of hyperparameters whose `over(parameters)` gives the `torch.optim`
optimizer that the reference is held against.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent, with momentum if asked for."""

    lr: float
    momentum: float = 0.0
    nesterov: bool = False

    def over(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer of `parameters`."""
        return torch.optim.SGD(
            parameters, lr=self.lr, momentum=self.momentum, nesterov=self.nesterov
        )


@dataclass(frozen=True)
class Adam:
    """Adam."""

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def over(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer of `parameters`."""
        return torch.optim.Adam(parameters, lr=self.lr, betas=self.betas, eps=self.eps)


@dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay, its step fused into one kernel."""

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.01

    def over(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer of `parameters`."""
        return torch.optim.AdamW(
            parameters,
            lr=self.lr,
            betas=self.betas,
            eps=self.eps,
            weight_decay=self.weight_decay,
            fused=True,
        )
