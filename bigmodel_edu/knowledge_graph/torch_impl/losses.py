"""The losses in PyTorch. Shapes of all: positive (B,), negative (B, N), the loss a scalar."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MarginLoss(nn.Module):
    """A fact should score higher than each of its negatives, by the margin at least.

    Not `F.margin_ranking_loss`, whose gradient is 1 for a pair right on the edge.
    """

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, positive: Tensor, negative: Tensor) -> Tensor:
        return F.relu(self.margin - positive[:, None] + negative).mean()


class LogisticLoss(nn.Module):
    """Is this fact true? Yes for the facts, no for the negatives; the mean over all of them."""

    def forward(self, positive: Tensor, negative: Tensor) -> Tensor:
        scores = torch.cat((positive[:, None], negative), dim=1)
        labels = torch.zeros_like(scores)
        labels[:, 0] = 1
        return F.binary_cross_entropy_with_logits(scores, labels)


class SelfAdversarialLoss(nn.Module):
    """The logistic loss in which a negative weighs the more, the better the model likes it."""

    def __init__(self, margin: float = 9.0, temperature: float = 1.0) -> None:
        super().__init__()
        self.margin, self.temperature = margin, temperature

    def forward(self, positive: Tensor, negative: Tensor, weights: Tensor | None = None) -> Tensor:
        if weights is None:
            weights = self.weights(negative)
        of_negatives = (weights * F.logsigmoid(-self.margin - negative)).sum(dim=1)
        return -(F.logsigmoid(self.margin + positive) + of_negatives).mean()

    def weights(self, negative: Tensor) -> Tensor:
        """Return how much each negative weighs (B, N); no gradient flows through it."""
        return F.softmax(self.temperature * negative.detach(), dim=1)
