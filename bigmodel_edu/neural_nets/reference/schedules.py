"""Learning-rate schedules: functions of the step, counted from zero.

params, state = optimizer.update(params, grads, state, lr=schedule(step))
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi

from bigmodel_edu.layer import expect_count

Schedule = Callable[[int], float]


@dataclass(frozen=True)
class ConstantSchedule:
    """η(t) = η₀."""

    lr: float

    def __call__(self, step: int) -> float:
        return self.lr


@dataclass(frozen=True)
class StepSchedule:
    """η(t) = η₀ γ^⌊t / S⌋: times γ after every S = `step_size` steps."""

    lr: float
    step_size: int
    gamma: float = 0.1

    def __post_init__(self) -> None:
        expect_count("step_size", self.step_size)

    def __call__(self, step: int) -> float:
        return self.lr * self.gamma ** (step // self.step_size)


@dataclass(frozen=True)
class CosineSchedule:
    """η(t) = η_min + (η₀ - η_min) (1 + cos(π t / T)) / 2 up to step T, then η_min.

    T = `total_steps` (Loshchilov and Hutter 2017, eq. 5, without restarts).
    """

    lr: float
    total_steps: int
    min_lr: float = 0.0

    def __post_init__(self) -> None:
        expect_count("total_steps", self.total_steps)

    def __call__(self, step: int) -> float:
        progress = min(step / self.total_steps, 1.0)
        return self.min_lr + (self.lr - self.min_lr) * (1 + cos(pi * progress)) / 2


@dataclass(frozen=True)
class WarmUp:
    """Grow linearly for `steps` steps to the first rate of `then`, then follow it from its zero.

    η(t) = η_then(0) (t + 1) / (W + 1) for t < W = `steps`, so that no step is spent at rate zero.
    """

    then: Schedule
    steps: int

    def __post_init__(self) -> None:
        expect_count("steps", self.steps)

    def __call__(self, step: int) -> float:
        if step < self.steps:
            return self.then(0) * (step + 1) / (self.steps + 1)
        return self.then(step - self.steps)
