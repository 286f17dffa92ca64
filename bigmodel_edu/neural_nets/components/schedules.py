"""The schedules, and what judges them from outside."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from bigmodel_edu.components import Component, FunctionComponent, outputs


def schedule(
    name: str, build: Callable[[Any], Any], torch_schedule: Callable[[Any], Any], title: str
) -> Component:
    """Return the component of a schedule: its first 40 learning rates, against PyTorch's."""

    def rates_by_torch() -> np.ndarray:
        sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
        scheduler = torch_schedule(sgd)
        rates = []
        for _ in range(40):
            rates.append(scheduler.get_last_lr()[0])
            sgd.step()
            scheduler.step()
        return np.array(rates)

    return FunctionComponent(
        name=f"neural_nets.{name}",
        call=lambda module: np.array([build(module)(step) for step in range(40)]),
        oracles={f"torch.optim.lr_scheduler.{title}": outputs(rates_by_torch)},
        runs_on_cupy=False,
    )


CONSTANT_SCHEDULE = schedule(
    "constant_schedule",
    lambda m: m.ConstantSchedule(0.3),
    lambda sgd: torch.optim.lr_scheduler.ConstantLR(sgd, factor=1),
    "ConstantLR",
)

STEP_SCHEDULE = schedule(
    "step_schedule",
    lambda m: m.StepSchedule(0.3, step_size=7, gamma=0.5),
    lambda sgd: torch.optim.lr_scheduler.StepLR(sgd, 7, 0.5),
    "StepLR",
)

COSINE_SCHEDULE = schedule(
    "cosine_schedule",
    lambda m: m.CosineSchedule(0.3, total_steps=39, min_lr=0.05),
    lambda sgd: torch.optim.lr_scheduler.CosineAnnealingLR(sgd, 39, eta_min=0.05),
    "CosineAnnealingLR",
)

WARM_UP = schedule(
    "warm_up",
    lambda m: m.WarmUp(m.CosineSchedule(0.3, total_steps=31), steps=9),
    lambda sgd: torch.optim.lr_scheduler.SequentialLR(
        sgd,
        [
            torch.optim.lr_scheduler.LinearLR(sgd, start_factor=1 / 10, total_iters=9),
            torch.optim.lr_scheduler.CosineAnnealingLR(sgd, 31),
        ],
        milestones=[9],
    ),
    "SequentialLR",
)
