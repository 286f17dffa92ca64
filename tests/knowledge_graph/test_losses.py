"""Losses worked by hand, far out, on the edge, and with scores that cannot be."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bigmodel_edu.errors import DTypeError, HyperparameterError, ShapeError
from bigmodel_edu.knowledge_graph import torch_impl
from bigmodel_edu.knowledge_graph.reference import (
    DistMult,
    LogisticLoss,
    MarginLoss,
    SelfAdversarialLoss,
)
from bigmodel_edu.neural_nets.reference import CrossEntropy

ONE = np.float64(1)
ALL = (MarginLoss(), LogisticLoss(), SelfAdversarialLoss())


def loss_and_gradients(loss, positive, negative):
    value, cache = loss.forward({}, np.asarray(positive), np.asarray(negative))
    (d_positive, d_negative), grads = loss.backward({}, cache, ONE)
    assert grads == {}
    return value, d_positive, d_negative


def by_torch(loss, positive, negative):
    """The loss and its gradients by the twin, the weights left to it."""
    twin = getattr(torch_impl, type(loss).__name__)(**vars(loss))
    inputs = [
        torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (positive, negative)
    ]
    value = twin(*inputs)
    value.backward()
    return value.item(), *(x.grad.numpy() for x in inputs)


# By hand


def test_margin_by_hand():
    """γ = 1: of the pairs (2, 0), (2, 1.5), (-1, -3), (-1, 0), two lack 0.5 and 2."""
    value, d_positive, d_negative = loss_and_gradients(
        MarginLoss(1.0), [2.0, -1.0], [[0.0, 1.5], [-3.0, 0.0]]
    )
    assert value == 2.5 / 4
    np.testing.assert_array_equal(d_positive, [-0.25, -0.25])
    np.testing.assert_array_equal(d_negative, [[0, 0.25], [0, 0.25]])


def test_no_margin_asks_for_the_order_only():
    value, *_ = loss_and_gradients(MarginLoss(0.0), [1.0], [[0.9, 1.1]])
    assert value == pytest.approx(0.05, abs=1e-15)


def test_a_pair_on_the_edge_has_no_gradient():
    edge = (MarginLoss(1.0), [3.0], [[2.0, 2.5]])
    value, d_positive, d_negative = loss_and_gradients(*edge)
    assert value == 0.25
    np.testing.assert_array_equal(d_negative, [[0, 0.5]])
    np.testing.assert_array_equal(d_positive, [-0.5])
    for ours, theirs in zip(loss_and_gradients(*edge), by_torch(*edge), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_logistic_by_hand():
    """σ(log 3) = 3/4."""
    value, d_positive, d_negative = loss_and_gradients(
        LogisticLoss(), [np.log(3)], [[np.log(3), 0.0]]
    )
    assert value == pytest.approx((np.log(4 / 3) + np.log(4) + np.log(2)) / 3, abs=1e-15)
    np.testing.assert_allclose(d_positive, [-1 / 12], rtol=1e-14)
    np.testing.assert_allclose(d_negative, [[1 / 4, 1 / 6]], rtol=1e-14)


def test_self_adversarial_by_hand():
    """α = 2 and scores log 1, log 2 give weights in the ratio 1 : 4; γ = log 3."""
    loss = SelfAdversarialLoss(np.log(3), 2.0)
    negative = np.log([[1.0, 2.0]])
    np.testing.assert_allclose(loss.weights(negative), [[0.2, 0.8]], rtol=1e-14)
    value, d_positive, d_negative = loss_and_gradients(loss, [0.0], negative)
    # σ(γ + s⁺) = 3/4; 1 - σ(γ + s⁻) = 1/4 and 1/7
    expected = np.log(4 / 3) + 0.2 * np.log(4) + 0.8 * np.log(7)
    assert value == pytest.approx(expected, abs=1e-14)
    np.testing.assert_allclose(d_positive, [-1 / 4], rtol=1e-13)
    np.testing.assert_allclose(d_negative, [[0.2 * 3 / 4, 0.8 * 6 / 7]], rtol=1e-13)


def test_no_gradient_flows_through_the_weights():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=5), rng.normal(size=(5, 7))
    loss = SelfAdversarialLoss(0.5, 1.5)
    for ours, theirs in zip(
        loss_and_gradients(loss, *scores), by_torch(loss, *scores), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    positive, negative = (torch.tensor(x, requires_grad=True) for x in scores)
    weights = F.softmax(1.5 * negative, dim=1)  # not detached
    flowing = -(F.logsigmoid(0.5 + positive) + (weights * F.logsigmoid(-0.5 - negative)).sum(1))
    flowing.mean().backward()
    assert np.abs(negative.grad.numpy() - loss_and_gradients(loss, *scores)[2]).max() > 1e-2


def test_temperature_zero_weighs_all_negatives_alike():
    rng = np.random.default_rng(1)
    positive, negative = rng.normal(size=3), rng.normal(size=(3, 5))
    value, *_ = loss_and_gradients(SelfAdversarialLoss(0.0, 0.0), positive, negative)
    expected = np.logaddexp(0, -positive).mean() + np.logaddexp(0, negative).mean()
    assert value == pytest.approx(expected, rel=1e-14)


def test_given_weights_are_used():
    loss, negative = SelfAdversarialLoss(0.0), np.array([[1.0, 5.0]])
    value, _ = loss.forward({}, np.array([0.0]), negative, weights=np.array([[1.0, 0.0]]))
    assert value == pytest.approx(np.log(2) + np.logaddexp(0, 1), rel=1e-14)


# 1-N training is a composition


def test_cross_entropy_over_all_entities_trains_a_model():
    rng = np.random.default_rng(2)
    model, compare = DistMult(11, 3, 5), CrossEntropy()
    params = model.init(rng)
    sources, relations, targets = np.array([0, 7, 7]), np.array([1, 0, 5]), np.array([2, 10, 3])

    def loss_of(params):
        scores, cache = model.forward(params, sources, relations)
        loss, loss_cache = compare.forward({}, scores, targets)
        return loss, cache, loss_cache

    _, cache, loss_cache = loss_of(params)
    (d_scores, _), _ = compare.backward({}, loss_cache, ONE)
    _, grads = model.backward(params, cache, d_scores)
    tensors = {k: torch.tensor(v, requires_grad=True) for k, v in params.items()}
    entities, table = tensors["entity.weight"], tensors["relation.weight"]
    logits = (entities[sources] * table[relations % 3]) @ entities.T
    F.cross_entropy(logits, torch.tensor(targets)).backward()
    for name, tensor in tensors.items():
        np.testing.assert_allclose(grads[name], tensor.grad, rtol=1e-10, atol=1e-14)
    better = {name: value - 0.1 * grads[name] for name, value in params.items()}
    assert loss_of(better)[0] < loss_of(params)[0]


# Far out


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ALL, ids=str)
def test_huge_scores_stay_finite(loss, dtype):
    positive = np.array([1e4, -1e4], dtype=dtype)
    negative = np.array([[-1e4, 1e4, 0], [1e4, 1e4, -1e4]], dtype=dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        value, cache = loss.forward({}, positive, negative)
        (d_positive, d_negative), _ = loss.backward({}, cache, np.ones((), dtype))
    for array in (value, d_positive, d_negative):
        assert np.isfinite(array).all()
        assert array.dtype == dtype


def test_huge_scores_give_the_right_loss():
    scores = [-1e4], [[1e4]]
    assert loss_and_gradients(MarginLoss(1.0), *scores)[0] == 20001
    assert loss_and_gradients(LogisticLoss(), *scores)[0] == 1e4
    assert loss_and_gradients(SelfAdversarialLoss(1.0), *scores)[0] == 9999 + 10001


# Bad input


@pytest.mark.parametrize("loss", ALL, ids=str)
@pytest.mark.parametrize(
    ("positive", "negative", "message"),
    [
        ((5, 1), (5, 3), r"positive has shape \(5, 1\), expected \(B,\)"),
        ((5,), (5,), r"negative has shape \(5,\), expected \(5, N\)"),
        ((5,), (3, 5), r"negative has shape \(3, 5\), expected \(5, N\)"),
        ((0,), (0, 3), r"positive is empty"),
        ((5,), (5, 0), r"negative is empty"),
    ],
)
def test_shapes_that_do_not_fit(loss, positive, negative, message):
    with pytest.raises(ShapeError, match=message):
        loss.forward({}, np.ones(positive), np.ones(negative))


@pytest.mark.parametrize("loss", ALL, ids=str)
def test_scores_without_floats(loss):
    with pytest.raises(DTypeError, match="negative is of type int64, expected floating-point"):
        loss.forward({}, np.ones(2), np.ones((2, 3), int))


def test_weights_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"weights has shape \(3, 2\), expected \(2, 3\)"):
        SelfAdversarialLoss().forward({}, np.ones(2), np.ones((2, 3)), weights=np.ones((3, 2)))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: MarginLoss(-0.1), "margin"),
        (lambda: MarginLoss(np.nan), "margin"),
        (lambda: SelfAdversarialLoss(np.inf), "margin"),
        (lambda: SelfAdversarialLoss(1.0, -1.0), "temperature"),
        (lambda: SelfAdversarialLoss(1.0, np.nan), "temperature"),
    ],
)
def test_hyperparameters_without_a_meaning(make, name):
    with pytest.raises(HyperparameterError, match=f"{name} is .*, expected a"):
        make()
