"""Orthogonal weights, and what judges them from outside."""

from typing import Any

import numpy as np
import torch

from bigmodel_edu.components import FunctionComponent, Results, Trial


def orthogonal_by_torch(trial: Trial) -> Results:
    """Return what is true of every orthogonal weight, from one that PyTorch has drawn."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tall = torch.nn.init.orthogonal_(torch.empty(11, 7, dtype=torch.float64)).numpy()
        wide = torch.nn.init.orthogonal_(torch.empty(7, 11, dtype=torch.float64)).numpy()
    return {"columns": tall.T @ tall, "rows": wide @ wide.T}


def gram_matrices(module: Any) -> dict:
    """Return QᵀQ of a tall and QQᵀ of a wide orthogonal weight."""
    rng = np.random.default_rng(0)
    tall, wide = module.orthogonal(rng, (11, 7)), module.orthogonal(rng, (7, 11))
    return {"columns": tall.T @ tall, "rows": wide @ wide.T}


ORTHOGONAL = FunctionComponent(
    name="lstm.orthogonal",
    call=gram_matrices,
    oracles={"torch.nn.init.orthogonal_": orthogonal_by_torch},
    runs_on_cupy=False,
)
