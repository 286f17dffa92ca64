"""Schedules at their corners: step 0, the last warm-up step, T, and beyond."""

from dataclasses import FrozenInstanceError, replace

import pytest

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.neural_nets.reference import (
    ConstantSchedule,
    CosineSchedule,
    StepSchedule,
    WarmUp,
)


def test_constant():
    assert [ConstantSchedule(0.3)(step) for step in (0, 1, 10**6)] == [0.3] * 3


@pytest.mark.parametrize(
    ("step", "rate"), [(0, 0.8), (9, 0.8), (10, 0.4), (19, 0.4), (20, 0.2), (30, 0.1)]
)
def test_step(step, rate):
    assert StepSchedule(0.8, step_size=10, gamma=0.5)(step) == pytest.approx(rate, rel=1e-14)


@pytest.mark.parametrize(
    ("step", "rate"),
    [(0, 0.5), (25, 0.4), (50, 0.3), (75, 0.2), (100, 0.1), (101, 0.1), (999, 0.1)],
)
def test_cosine(step, rate):
    quarter = 0.2 * (2**0.5 / 2 - 0.5)  # cos 45° is not one half
    rate += {25: quarter, 75: -quarter}.get(step, 0)
    schedule = CosineSchedule(0.5, total_steps=100, min_lr=0.1)
    assert schedule(step) == pytest.approx(rate, rel=1e-14)


def test_cosine_falls_to_zero_and_never_rises():
    rates = [CosineSchedule(0.3, total_steps=31)(step) for step in range(40)]
    assert rates == sorted(rates, reverse=True)
    assert rates[31:] == pytest.approx([0.0] * 9, abs=1e-17)


@pytest.mark.parametrize(
    ("step", "rate"), [(0, 0.1), (1, 0.2), (3, 0.4), (4, 0.5), (5, 0.5), (6, 0.25), (8, 0.125)]
)
def test_warm_up(step, rate):
    schedule = WarmUp(StepSchedule(0.5, step_size=2, gamma=0.5), steps=4)
    assert schedule(step) == pytest.approx(rate, rel=1e-14)


def test_no_step_is_spent_at_rate_zero():
    assert WarmUp(ConstantSchedule(0.3), steps=1)(0) > 0


@pytest.mark.parametrize(
    "schedule",
    [
        ConstantSchedule(0.3),
        StepSchedule(0.3, 7),
        CosineSchedule(0.3, 31),
        WarmUp(ConstantSchedule(0.3), 9),
    ],
    ids=lambda schedule: type(schedule).__name__,
)
def test_schedules_are_records_that_do_not_change(schedule):
    with pytest.raises(FrozenInstanceError):
        schedule.lr = 1.0
    assert replace(schedule) == schedule


@pytest.mark.parametrize("value", [0, -3, 2.5])
@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda value: StepSchedule(0.3, step_size=value), "step_size"),
        (lambda value: CosineSchedule(0.3, total_steps=value), "total_steps"),
        (lambda value: WarmUp(ConstantSchedule(0.3), steps=value), "steps"),
    ],
)
def test_numbers_of_steps(build, name, value):
    with pytest.raises(HyperparameterError, match=f"{name} is {value}, expected a whole number"):
        build(value)
