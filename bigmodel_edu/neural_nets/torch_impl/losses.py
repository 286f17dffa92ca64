"""The losses in PyTorch."""

import torch.nn.functional as F
from torch import Tensor, nn


class MeanSquaredError(nn.Module):
    """The mean of the squared differences."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(prediction, target)


class BinaryCrossEntropyWithLogits(nn.Module):
    """The mean negative log-likelihood of yes-or-no targets, from logits."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, targets)


class CrossEntropy(nn.Module):
    """Softmax cross-entropy from logits (N, C) and integer targets (N,)."""

    def __init__(self, label_smoothing: float = 0.0, ignore_index: int = -100) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.ignore_index = ignore_index

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(
            logits,
            targets,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
        )
