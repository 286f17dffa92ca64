"""Penalties and clipping, and what judges them from outside."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from bigmodel_edu.components import (
    FunctionComponent,
    LayerComponent,
    Oracle,
    Results,
    Trial,
    outputs,
)

from .layers import normal


def pair_of_gradients(rng: np.random.Generator, batch: int) -> dict:
    """Return two gradients whose joint norm is well above one."""
    return {"weight": rng.normal(size=(batch, 3)), "bias": rng.normal(size=7)}


def clipped(max_norm: float) -> Callable[..., dict]:
    """Return a call that clips and names what comes back."""

    def call(module: Any, **grads: Any) -> dict:
        shrunk, norm = module.clip_gradients_by_norm(grads, max_norm)
        return {**shrunk, "norm": norm}

    return call


def clipped_by_torch(max_norm: float) -> Oracle:
    """Return an oracle that clips with `torch.nn.utils.clip_grad_norm_`."""

    def oracle(trial: Trial) -> Results:
        params = {
            name: torch.nn.Parameter(torch.zeros(g.shape)) for name, g in trial.inputs.items()
        }
        for name, parameter in params.items():
            parameter.data = parameter.data.double()
            parameter.grad = torch.tensor(trial.inputs[name]).double()
        norm = torch.nn.utils.clip_grad_norm_(params.values(), max_norm)
        return {name: p.grad.numpy() for name, p in params.items()} | {"norm": norm.numpy()}

    return oracle


L1_PENALTY = LayerComponent(
    name="neural_nets.l1_penalty",
    build=lambda m: m.L1Penalty(0.3),
    inputs=normal(7),
    oracles={"numpy.linalg.norm": outputs(lambda w: 0.3 * np.linalg.norm(w.ravel(), 1))},
)

L2_PENALTY = LayerComponent(
    name="neural_nets.l2_penalty",
    build=lambda m: m.L2Penalty(0.3),
    inputs=normal(7),
    oracles={"numpy.linalg.norm": outputs(lambda w: 0.15 * np.linalg.norm(w) ** 2)},
)

CLIP_GRADIENTS_BY_NORM = FunctionComponent(
    name="neural_nets.clip_gradients_by_norm",
    inputs=pair_of_gradients,
    call=clipped(0.7),
    oracles={"torch.nn.utils.clip_grad_norm_": clipped_by_torch(0.7)},
    has_torch_twin=True,
    has_cupy_twin=True,
)

CLIP_GRADIENTS_BY_NORM_UNNEEDED = FunctionComponent(
    name="neural_nets.clip_gradients_by_norm_unneeded",
    inputs=pair_of_gradients,
    call=clipped(1e3),
    oracles={"torch.nn.utils.clip_grad_norm_": clipped_by_torch(1e3)},
    has_torch_twin=True,
    has_cupy_twin=True,
)
