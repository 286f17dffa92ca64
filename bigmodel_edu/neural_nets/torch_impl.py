"""Chapter 1 in PyTorch, as a practitioner would write it.

The modules take the hyperparameters of the reference, their `state_dict` has its keys, and they
lean on `torch.nn.functional`. An optimizer here is a frozen record of hyperparameters whose
`over(parameters)` gives the `torch.optim` optimizer that the reference is held against.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Linear(nn.Module):
    """y = x Wᵀ + b. Shapes: x (..., D), weight (H, D), bias (H,), y (..., H)."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.zeros(out_features))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


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


class Dropout(nn.Module):
    """Inverted dropout; a given `mask` takes the place of PyTorch's own randomness."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None or not self.training:
            return F.dropout(x, self.p, self.training)
        return x * mask / (1 - self.p)


class BatchNorm1d(nn.Module):
    """Batch normalisation of each feature. Shapes: x (N, D), y (N, D)."""

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.num_batches_tracked += 1
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            self.momentum,
            self.eps,
        )


class LayerNorm(nn.Module):
    """Normalisation over the last axis. Shapes: x (..., D), y (..., D)."""

    def __init__(self, normalized_shape: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(normalized_shape))
        self.bias = nn.Parameter(torch.zeros(normalized_shape))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


class Sequential(nn.Sequential):
    """Layers one after the other."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__(*layers)


ACTIVATIONS = {"relu": ReLU, "tanh": Tanh, "sigmoid": Sigmoid, "gelu": GELU}


def mlp(
    sizes: tuple[int, ...],
    *,
    activation: str = "relu",
    batch_norm: bool = False,
    dropout: float = 0.0,
) -> Sequential:
    """Return a multilayer perceptron: `sizes` = (inputs, hidden, …, outputs)."""
    layers: list[nn.Module] = []
    for inputs, hidden in pairwise(sizes[:-1]):
        layers.append(Linear(inputs, hidden))
        if batch_norm:
            layers.append(BatchNorm1d(hidden))
        layers.append(ACTIVATIONS[activation]())
        if dropout:
            layers.append(Dropout(dropout))
    return Sequential((*layers, Linear(sizes[-2], sizes[-1])))


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
