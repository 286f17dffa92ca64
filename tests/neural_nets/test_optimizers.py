"""Optimizers step by step with injected gradients, and what they refuse."""

import numpy as np
import pytest

from bigmodel_edu.errors import HyperparameterError, ShapeError
from bigmodel_edu.neural_nets.reference import SGD, Adam, AdamW

ALL = [
    SGD(0.1),
    SGD(0.1, momentum=0.5),
    SGD(0.1, momentum=0.5, nesterov=True),
    Adam(0.1),
    AdamW(0.1),
]


def steps(optimizer, w, grads, **options):
    """Return the parameter after each of the gradients."""
    params = {"w": np.array([w])}
    state, seen = optimizer.init(params), []
    for grad in grads:
        params, state = optimizer.update(params, {"w": np.array([grad])}, state, **options)
        seen.append(float(params["w"][0]))
    return seen


# By hand


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (SGD(0.1), [0.9, 0.7]),
        (SGD(0.1, momentum=0.5), [0.9, 0.65]),  # v = 1, then 2.5
        (SGD(0.1, momentum=0.5, nesterov=True), [0.85, 0.525]),  # 1 + 0.5, then 2 + 1.25
    ],
)
def test_sgd_by_hand(optimizer, expected):
    assert steps(optimizer, 1.0, [1.0, 2.0]) == pytest.approx(expected, rel=1e-14)


def test_adams_first_step_is_the_learning_rate():
    """With its bias corrected, m̂ / √v̂ is the sign of the gradient, however small."""
    for grad in (1e-3, 5.0, -7.0):
        (after,) = steps(Adam(0.1, eps=0.0), 1.0, [grad])
        assert after == pytest.approx(1 - 0.1 * np.sign(grad), rel=1e-12)


def test_adam_without_memory_follows_the_sign():
    assert steps(Adam(0.1, betas=(0.0, 0.0), eps=0.0), 1.0, [5.0, -2.0]) == pytest.approx([0.9, 1])


def test_adams_second_step_by_hand():
    optimizer = Adam(0.1, betas=(0.5, 0.75), eps=0.0)
    m_hat, v_hat = (0.25 * 1 + 0.5 * 2) / 0.75, (0.1875 * 1 + 0.25 * 4) / 0.4375
    _, after = steps(optimizer, 1.0, [1.0, 2.0])
    assert after == pytest.approx(0.9 - 0.1 * m_hat / np.sqrt(v_hat), rel=1e-13)


def test_weight_decay_is_decoupled():
    """With a gradient of zero only the decay moves the weight, by the factor 1 - ηλ."""
    assert steps(AdamW(0.1, weight_decay=0.3), 2.0, [0.0]) == pytest.approx([2 * 0.97], rel=1e-14)
    assert steps(AdamW(0.1, weight_decay=0.0), 2.0, [1.0]) == steps(Adam(0.1), 2.0, [1.0])


@pytest.mark.parametrize("optimizer", ALL, ids=str)
def test_a_quadratic_is_minimised(optimizer):
    params = {"w": np.array([5.0, -3.0])}
    state = optimizer.init(params)
    for _ in range(400):
        params, state = optimizer.update(params, {"w": params["w"]}, state)
    assert np.abs(params["w"]).max() < 1e-2


# State and arguments


@pytest.mark.parametrize("optimizer", ALL, ids=str)
def test_the_state_counts_steps_and_has_a_slot_per_parameter(optimizer):
    params = {"a": np.ones((2, 3), np.float32), "b": np.ones(5, np.float32)}
    state = optimizer.init(params)
    names = {f"{slot}.{name}" for slot in optimizer.slots() for name in params}
    assert state.keys() == {"step"} | names
    params, state = optimizer.update(params, params, state)
    assert state.keys() == {"step"} | names
    assert state["step"] == 1
    assert {str(v.dtype) for v in (*params.values(), *(state[n] for n in names))} == {"float32"}


@pytest.mark.parametrize("optimizer", ALL, ids=str)
def test_a_parameter_without_a_gradient_passes_through(optimizer):
    params = {"w": np.ones(3), "running_mean": np.full(3, 7.0), "count": np.array(4)}
    new, _ = optimizer.update(params, {"w": np.ones(3)}, optimizer.init(params))
    assert (new["w"] != 1).all()
    assert new["running_mean"] is params["running_mean"]
    assert new["count"] is params["count"]


@pytest.mark.parametrize("optimizer", ALL, ids=str)
def test_a_schedule_overrides_the_learning_rate(optimizer):
    assert steps(optimizer, 1.0, [1.0, 2.0], lr=0.0) == [1.0, 1.0]
    assert steps(optimizer, 1.0, [1.0], lr=0.2) != steps(optimizer, 1.0, [1.0])


@pytest.mark.parametrize("optimizer", ALL, ids=str)
def test_a_step_can_be_taken_again(optimizer):
    """Nothing is remembered but in the state: the same call gives the same answer."""
    params, grads = {"w": np.arange(3.0)}, {"w": np.ones(3)}
    state = optimizer.init(params)
    first, second = (optimizer.update(params, grads, state) for _ in range(2))
    np.testing.assert_array_equal(first[0]["w"], second[0]["w"])
    assert first[1]["step"] == second[1]["step"] == 1


# Bad input


@pytest.mark.parametrize("optimizer", ALL, ids=str)
def test_a_gradient_of_an_unknown_parameter(optimizer):
    params = {"weight": np.ones(3), "bias": np.ones(1)}
    with pytest.raises(
        ShapeError, match=r"gradient for 'wieght' but no such parameter.*weight, bias"
    ):
        optimizer.update(params, {"wieght": np.ones(3)}, optimizer.init(params))


@pytest.mark.parametrize("optimizer", ALL, ids=str)
def test_a_gradient_of_another_shape(optimizer):
    params = {"w": np.ones((3, 2))}
    with pytest.raises(ShapeError, match=r"'w' has shape \(2,\), expected .*\(3, 2\); look at"):
        optimizer.update(params, {"w": np.ones(2)}, optimizer.init(params))  # would broadcast


@pytest.mark.parametrize("lr", [-0.1, float("nan")])
@pytest.mark.parametrize("optimizer", [SGD, Adam, AdamW])
def test_learning_rates(optimizer, lr):
    with pytest.raises(HyperparameterError, match=f"lr is {lr}, expected a number of 0 or more"):
        optimizer(lr)
    good, params = optimizer(0.1), {"w": np.ones(3)}
    with pytest.raises(HyperparameterError, match=f"lr is {lr}"):
        good.update(params, {"w": np.ones(3)}, good.init(params), lr=lr)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SGD(0.1, momentum=1.0), "momentum is 1.0, expected 0 ≤ momentum < 1"),
        (lambda: SGD(0.1, momentum=-0.1), "momentum is -0.1"),
        (lambda: SGD(0.1, nesterov=True), "nesterov needs a momentum above zero"),
        (lambda: Adam(betas=(0.9, 1.0)), r"betas is \(0.9, 1.0\), expected two numbers in \[0, 1"),
        (lambda: Adam(betas=(-0.1, 0.9)), r"betas is \(-0.1, 0.9\)"),
        (lambda: Adam(betas=(0.9,)), r"betas is \(0.9,\)"),
        (lambda: Adam(eps=-1e-8), "eps is -1e-08"),
        (lambda: AdamW(weight_decay=-0.1), "weight_decay is -0.1"),
    ],
)
def test_hyperparameters(build, message):
    with pytest.raises(HyperparameterError, match=message):
        build()
