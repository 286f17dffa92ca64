"""A loss that is no finite number ends a training, with a sentence that says where and what to do.

Nothing here needs PyTorch: a loop in NumPy watches its loss as well.
"""

from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any

from bigmodel_edu.errors import BookError
from bigmodel_edu.layer import Params
from bigmodel_edu.training import checkpoints


class NonFiniteLoss(BookError, ArithmeticError):
    """The loss became NaN or infinite.

    `params` are those from before the bad step, `history` is what the training saw up to then.
    """

    def __init__(self, message: str, step: int, params: Params, history: Any = None) -> None:
        super().__init__(message)
        self.step = step
        self.params = params
        self.history = history


def expect_finite_loss(
    loss: float,
    when: str,
    step: int,
    params: Callable[[], Params],
    *,
    folder: str | Path | None = None,
    history: Any = None,
) -> None:
    """Raise NonFiniteLoss unless the loss is a finite number.

    `when` says which one it is ("of step 7"), `params` returns the parameters from before the step,
    and `folder` is where the training keeps its checkpoints.
    """
    if isfinite(loss):
        return
    kept = ""
    if folder is not None:
        last = checkpoints.latest(folder)
        kept = f" The last checkpoint is {last}." if last else " There is no checkpoint yet."
    raise NonFiniteLoss(
        f"the loss {when} is {loss}, expected a finite number. Try a smaller learning rate; the "
        f"parameters from before this step are in the error's `params`.{kept}",
        step,
        params(),
        history,
    )
