"""The cross-entropy on the GPU, loss and gradient in one."""

from dataclasses import dataclass
from pathlib import Path

import cupy as cp

from bigmodel_edu.cuda.kernels import load_kernels
from bigmodel_edu.layer import Array, Cache, Gradients, Params

from .. import reference

KERNELS = load_kernels(Path(__file__).with_suffix(".cu"), cp)


@dataclass(frozen=True)
class CrossEntropy(reference.CrossEntropy):
    """Forward computes the gradient as well, while the logits are at hand; it is the cache."""

    def forward(self, params: Params, logits: Array, targets: Array) -> tuple[Array, Cache]:
        n_counted = int(self.counted(logits, targets).sum())
        n, n_classes = logits.shape
        losses = cp.empty(n, logits.dtype)
        d_logits = cp.empty(logits.shape, logits.dtype)
        KERNELS.launch(
            "cross_entropy",
            n,
            (logits, targets),
            (losses, d_logits),
            n_classes,
            float(self.label_smoothing),
            int(self.ignore_index),
            1 / n_counted,
        )
        return losses.sum(), d_logits

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        d_logits = cache
        return (dy * d_logits, None), {}
