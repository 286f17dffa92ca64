"""The paper's learning rate, and what judges it from outside."""

from typing import Any

import numpy as np
import torch

from bigmodel_edu.components import FunctionComponent, outputs

from .hugging_face import hugging_face_block


def rates_by_transformers() -> np.ndarray:
    """Return 40 rates of the paper's schedule from `transformers`' inverse square root."""

    def schedule() -> Any:
        from transformers import get_inverse_sqrt_schedule

        return get_inverse_sqrt_schedule(sgd, num_warmup_steps=9)

    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=(64 * 9) ** -0.5)
    scheduler = hugging_face_block(schedule)
    rates = []
    for _ in range(40):
        sgd.step()
        scheduler.step()  # it counts from one, as the paper does
        rates.append(scheduler.get_last_lr()[0])
    return np.array(rates)


INVERSE_SQUARE_ROOT_WARM_UP = FunctionComponent(
    name="transformer.inverse_square_root_warm_up",
    call=lambda m: np.array([m.InverseSquareRootWarmUp(64, 9)(step) for step in range(40)]),
    oracles={"transformers.get_inverse_sqrt_schedule": outputs(rates_by_transformers)},
    runs_on_cupy=False,
)
