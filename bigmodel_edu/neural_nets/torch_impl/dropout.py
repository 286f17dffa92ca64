"""Dropout in PyTorch."""

import torch.nn.functional as F
from torch import Tensor, nn


class Dropout(nn.Module):
    """Inverted dropout; a given `mask` takes the place of PyTorch's own randomness."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None or not self.training:
            return F.dropout(x, self.p, self.training)
        return x * mask / (1 - self.p)
