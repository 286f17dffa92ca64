"""Losses: each averages over the batch and returns one number.

A loss is a layer with two inputs, predictions and targets, and a scalar output.
"""

from dataclasses import dataclass

import numpy as np

from bigmodel_edu.errors import HyperparameterError, LabelError
from bigmodel_edu.layer import (
    Array,
    Cache,
    Gradients,
    Layer,
    Params,
    expect_floats,
    expect_labels,
    expect_shape,
)

from .activations import log_softmax, sigmoid


@dataclass(frozen=True)
class MeanSquaredError(Layer):
    """The mean of the squared differences, L = mean((prediction - target)²).

    Shapes: prediction and target alike, of any shape; L a scalar.
    """

    def forward(self, params: Params, prediction: Array, target: Array) -> tuple[Array, Cache]:
        expect_floats("prediction", prediction)
        expect_floats("target", target)
        expect_shape("target", target, *prediction.shape)
        difference = prediction - target
        return (difference * difference).mean(), difference

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        difference = cache
        d_prediction = dy * difference * (2 / difference.size)
        return (d_prediction, -d_prediction), {}


@dataclass(frozen=True)
class BinaryCrossEntropyWithLogits(Layer):
    """The negative log-likelihood of yes-or-no targets, from logits.

    L = mean(-t log σ(z) - (1 - t) log(1 - σ(z))) = mean(softplus(z) - t z); the second form never
    takes the logarithm of a rounded zero. softplus(z) = log(1 + e^z).

    Shapes: logits z and targets t alike, of any shape, t in [0, 1]; L a scalar.
    """

    def forward(self, params: Params, logits: Array, targets: Array) -> tuple[Array, Cache]:
        expect_floats("logits", logits)
        expect_floats("targets", targets)
        expect_shape("targets", targets, *logits.shape)
        if not ((targets >= 0) & (targets <= 1)).all():
            raise LabelError(
                "targets holds a value outside [0, 1]; a binary target is a probability, "
                "0 for no and 1 for yes."
            )
        softplus = np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))
        return (softplus - targets * logits).mean(), (logits, targets)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        logits, targets = cache
        scale = dy / logits.size
        return (scale * (sigmoid(logits) - targets), -scale * logits), {}


@dataclass(frozen=True)
class CrossEntropy(Layer):
    """Softmax and negative log-likelihood in one, from logits (Szegedy et al. 2016, section 7).

    With p = softmax(z), C classes and smoothing ε, the target distribution of example n is
    q_nc = (1 - ε) [c = t_n] + ε / C, and L = mean over n of -Σ_c q_nc log p_nc, which is
    -(1 - ε) log p_nt - ε mean_c log p_nc. An example whose label is `ignore_index` counts neither
    in the sum nor in the mean.

    Shapes: logits z (N, C), integer targets t (N,); L a scalar.
    ∂L/∂z = (p - q) / (number of examples counted).
    """

    label_smoothing: float = 0.0
    ignore_index: int = -100

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing <= 1:
            raise HyperparameterError(
                f"label_smoothing is {self.label_smoothing}, expected a number from 0 to 1."
            )

    def forward(self, params: Params, logits: Array, targets: Array) -> tuple[Array, Cache]:
        counted = self.counted(logits, targets)
        n = len(targets)
        log_p = log_softmax(logits)
        label = np.where(counted, targets, 0)  # any class: an ignored example has weight 0
        weight = counted.astype(logits.dtype) / int(counted.sum())
        own = log_p[np.arange(n, like=logits), label]
        epsilon = self.label_smoothing
        loss = -(weight * ((1 - epsilon) * own + epsilon * log_p.mean(axis=-1))).sum()
        return loss, (log_p, label, weight)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        log_p, label, weight = cache
        n, n_classes = log_p.shape
        epsilon = self.label_smoothing
        d_logits = np.exp(
            log_p
        )  # p, from which q is now taken: ε / C everywhere, 1 - ε at the label
        d_logits -= epsilon / n_classes
        d_logits[np.arange(n, like=log_p), label] -= 1 - epsilon
        d_logits *= (dy * weight)[:, None]
        return (d_logits, None), {}

    def counted(self, logits: Array, targets: Array) -> Array:
        """Return which examples count (N,), booleans; raise if the two arrays cannot be used."""
        expect_floats("logits", logits)
        expect_shape("logits", logits, "N", "C")
        n, n_classes = logits.shape
        expect_shape("targets", targets, n)
        expect_labels("targets", targets, n_classes, ignored=self.ignore_index)
        counted = targets != self.ignore_index
        if not counted.any():
            raise LabelError(
                f"all {n} targets are ignore_index ({self.ignore_index}), so there is nothing to "
                "average over; leave such a batch out."
            )
        return counted
