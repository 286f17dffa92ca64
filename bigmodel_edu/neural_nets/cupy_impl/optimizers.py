"""AdamW on the GPU, its step in one kernel."""

from dataclasses import dataclass
from pathlib import Path

import cupy as cp

from bigmodel_edu.cuda.kernels import blocks_for, load_kernels
from bigmodel_edu.layer import Array

from .. import reference

KERNELS = load_kernels(Path(__file__).with_suffix(".cu"), cp)


@dataclass(frozen=True)
class AdamW(reference.AdamW):
    """One fused kernel per parameter; like the reference it writes to new arrays."""

    def step(
        self, w: Array, g: Array, slots: tuple[Array, ...], t: int, lr: float
    ) -> tuple[Array, tuple[Array, ...]]:
        (m, v), (beta1, beta2) = slots, self.betas
        updated = tuple(cp.empty(w.shape, w.dtype) for _ in range(3))
        hyperparameters = (
            lr,
            lr * self.weight_decay,
            beta1,
            1 - beta1,
            beta2,
            1 - beta2,
            1 - beta1**t,
            1 - beta2**t,
            self.eps,
        )
        KERNELS.launch(
            "adamw_step",
            blocks_for(w.size),
            (w, g, m, v),
            updated,
            w.size,
            *map(float, hyperparameters),
        )
        w, m, v = updated
        return w, (m, v)
