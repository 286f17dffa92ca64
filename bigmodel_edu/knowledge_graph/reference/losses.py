"""Losses that compare the score of a fact with those of its corruptions, the negatives.

Shapes of all: positive (B,), the score of each fact; negative (B, N), the scores of the N wrong
answers drawn for it; the loss a scalar. 1-N training needs nothing of its own: the scores of all
entities (B, E) are logits of chapter 1's `CrossEntropy`, with the answers as labels.
"""

from dataclasses import dataclass

import numpy as np

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.layer import (
    Array,
    Cache,
    Gradients,
    Layer,
    Params,
    expect_floats,
    expect_not_negative,
    expect_shape,
)
from bigmodel_edu.neural_nets.reference import sigmoid, softmax


@dataclass(frozen=True)
class MarginLoss(Layer):
    """A fact should score higher than each of its negatives, by a margin γ at least.

    L = mean over b and n of max(0, γ - s⁺_b + s⁻_bn) (Bordes et al. 2013, equation 1, who sum
    instead). A pair that keeps the margin has no gradient, nor has one that lies right on the edge:
    of the slopes from 0 to 1 that fit there, 0 is taken, as ReLU does.
    """

    margin: float = 1.0

    def __post_init__(self) -> None:
        expect_not_negative("margin", self.margin)

    def forward(self, params: Params, positive: Array, negative: Array) -> tuple[Array, Cache]:
        expect_scores(positive, negative)
        lacking = self.margin - positive[:, None] + negative
        return np.maximum(lacking, 0).mean(), lacking > 0

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        violated = cache
        d_negative = violated * (dy / violated.size)
        return (-d_negative.sum(axis=1), d_negative), {}


@dataclass(frozen=True)
class LogisticLoss(Layer):
    """Is this fact true? Yes for the facts, no for the negatives (Trouillon et al. 2016).

    σ(s) is the probability of a yes, so that a fact costs -log σ(s⁺) = softplus(-s⁺) and a negative
    -log(1 - σ(s⁻)) = softplus(s⁻). L is the mean over all B (1 + N) of them: every scored fact
    weighs the same, and the more negatives there are, the less one positive does.
    """

    def forward(self, params: Params, positive: Array, negative: Array) -> tuple[Array, Cache]:
        expect_scores(positive, negative)
        total = softplus(-positive).sum() + softplus(negative).sum()
        return total / (positive.size + negative.size), (positive, negative)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        positive, negative = cache
        scale = dy / (positive.size + negative.size)
        return (-scale * sigmoid(-positive), scale * sigmoid(negative)), {}


@dataclass(frozen=True)
class SelfAdversarialLoss(Layer):
    """The logistic loss in which a negative weighs the more, the better the model likes it.

    L = mean over b of -log σ(γ + s⁺_b) - Σ_n p_bn log σ(-γ - s⁻_bn),
    p_b = softmax(α s⁻_b) over the N negatives (Sun et al. 2019, equations 6 and 5, with the
    distance d = -s; their code halves L). The margin γ lifts scores that are never positive to both
    sides of 0; the temperature α = 0 weighs all negatives alike.

    The weights p stand for a choice of negatives, and no gradient flows through them: the model is
    not to lower its loss by making p small. They may be given as `weights` (B, N).
    """

    margin: float = 9.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not np.isfinite(self.margin):
            raise HyperparameterError(f"margin is {self.margin}, expected a finite number.")
        expect_not_negative("temperature", self.temperature)

    def forward(
        self, params: Params, positive: Array, negative: Array, *, weights: Array | None = None
    ) -> tuple[Array, Cache]:
        expect_scores(positive, negative)
        if weights is None:
            weights = self.weights(negative)
        expect_shape("weights", weights, *negative.shape)
        positive, negative = positive + self.margin, negative + self.margin
        loss = (softplus(-positive) + (weights * softplus(negative)).sum(axis=1)).mean()
        return loss, (positive, negative, weights)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        positive, negative, weights = cache
        scale = dy / len(positive)
        return (-scale * sigmoid(-positive), scale * weights * sigmoid(negative)), {}

    def weights(self, negative: Array) -> Array:
        """Return p (B, N), each row of sum 1."""
        return softmax(self.temperature * negative)


def softplus(x: Array) -> Array:
    """Return log(1 + e^x), also where e^x overflows."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def expect_scores(positive: Array, negative: Array) -> None:
    """Raise unless there is one positive score for each row of negative ones."""
    for name, scores in (("positive", positive), ("negative", negative)):
        expect_floats(name, scores)
    expect_shape("positive", positive, "B")
    expect_shape("negative", negative, len(positive), "N")
