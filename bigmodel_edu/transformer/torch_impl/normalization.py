"""RMSNorm in PyTorch."""

from torch import nn


class RMSNorm(nn.RMSNorm):
    """Division by the root mean square of the features. Shapes: x and y (..., D)."""

    def __init__(self, normalized_shape: int, eps: float = 1e-6) -> None:
        super().__init__(normalized_shape, eps=eps)
