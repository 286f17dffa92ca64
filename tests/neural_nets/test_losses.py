"""Losses worked by hand, far out, and with labels that cannot be."""

import numpy as np
import pytest
import torch

from bigmodel_edu.errors import DTypeError, HyperparameterError, LabelError, ShapeError
from bigmodel_edu.neural_nets.reference import (
    BinaryCrossEntropyWithLogits,
    CrossEntropy,
    MeanSquaredError,
)

ONE = np.float64(1)


def loss_and_gradient(loss, predictions, targets):
    value, cache = loss.forward({}, predictions, targets)
    (d_predictions, d_targets), grads = loss.backward({}, cache, ONE)
    assert grads == {}
    return value, d_predictions, d_targets


# By hand


def test_the_cross_entropy_of_the_article():
    logits = np.log([[0.9, 0.1]])
    value, d_logits, d_targets = loss_and_gradient(CrossEntropy(), logits, np.array([0]))
    assert value == pytest.approx(0.1053605156578263, abs=1e-15)  # -log 0.9
    np.testing.assert_allclose(d_logits, [[-0.1, 0.1]], rtol=1e-14)
    assert d_targets is None


def test_binary_cross_entropy_by_hand():
    logits, targets = np.log([3.0, 3.0]), np.array([1.0, 0.0])  # σ = 3/4
    value, d_logits, d_targets = loss_and_gradient(BinaryCrossEntropyWithLogits(), logits, targets)
    assert value == pytest.approx((np.log(4 / 3) + np.log(4)) / 2, abs=1e-15)
    np.testing.assert_allclose(d_logits, [-0.125, 0.375], rtol=1e-14)
    np.testing.assert_allclose(d_targets, -logits / 2, rtol=1e-14)


def test_mean_squared_error_by_hand():
    prediction, target = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 0.0], [0.0, 4.0]])
    value, d_prediction, d_target = loss_and_gradient(MeanSquaredError(), prediction, target)
    assert value == 13 / 4
    np.testing.assert_array_equal(d_prediction, [[0, 1], [1.5, 0]])
    np.testing.assert_array_equal(d_target, -d_prediction)


def test_label_smoothing_by_hand():
    """q = (0.85, 0.15) at ε = 0.3, p = (0.9, 0.1)."""
    logits = np.log([[0.9, 0.1]])
    value, d_logits, _ = loss_and_gradient(CrossEntropy(0.3), logits, np.array([0]))
    assert value == pytest.approx(-0.85 * np.log(0.9) - 0.15 * np.log(0.1), abs=1e-15)
    np.testing.assert_allclose(d_logits, [[0.05, -0.05]], rtol=1e-13)


def test_ignored_examples_count_nowhere():
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(5, 3)), np.array([0, -100, 2, -100, 1])
    value, d_logits, _ = loss_and_gradient(CrossEntropy(0.1), logits, targets)
    kept = targets >= 0
    expected, d_kept, _ = loss_and_gradient(CrossEntropy(0.1), logits[kept], targets[kept])
    assert value == pytest.approx(expected, rel=1e-14)
    np.testing.assert_allclose(d_logits[kept], d_kept, rtol=1e-13)
    np.testing.assert_array_equal(d_logits[~kept], 0)


def test_another_index_may_be_the_ignored_one():
    logits = np.random.default_rng(0).normal(size=(2, 3))
    value, *_ = loss_and_gradient(CrossEntropy(ignore_index=0), logits, np.array([0, 2]))
    expected, *_ = loss_and_gradient(CrossEntropy(), logits[1:], np.array([2]))
    assert value == pytest.approx(expected, rel=1e-14)


# Far out


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_huge_logits_stay_finite(dtype):
    logits = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]], dtype=dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        value, d_logits, _ = loss_and_gradient(CrossEntropy(0.1), logits, np.array([1, 2]))
        binary, d_binary, _ = loss_and_gradient(
            BinaryCrossEntropyWithLogits(), logits, np.ones_like(logits)
        )
    assert np.isfinite([value, binary]).all()
    assert np.isfinite(d_logits).all()
    assert np.isfinite(d_binary).all()


def test_huge_logits_give_the_right_loss():
    value, *_ = loss_and_gradient(CrossEntropy(), np.array([[1e4, -1e4]]), np.array([1]))
    assert value == 2e4
    binary, *_ = loss_and_gradient(
        BinaryCrossEntropyWithLogits(), np.array([-1e4, 1e4]), np.array([1.0, 1.0])
    )
    assert binary == 5e3


# Bad input


@pytest.mark.parametrize("loss", [MeanSquaredError(), BinaryCrossEntropyWithLogits()], ids=str)
def test_predictions_and_targets_are_alike(loss):
    with pytest.raises(ShapeError, match=r"targets? has shape \(5,\), expected \(5, 1\)"):
        loss.forward({}, np.ones((5, 1)), np.ones(5))  # would broadcast to (5, 5)


@pytest.mark.parametrize(
    "loss", [MeanSquaredError(), BinaryCrossEntropyWithLogits(), CrossEntropy()], ids=str
)
def test_empty_batches(loss):
    targets = np.ones(0, int) if isinstance(loss, CrossEntropy) else np.ones((0, 3))
    with pytest.raises(ShapeError, match=r"is empty .*give at least one example"):
        loss.forward({}, np.ones((0, 3)), targets)


@pytest.mark.parametrize(
    "loss", [MeanSquaredError(), BinaryCrossEntropyWithLogits(), CrossEntropy()], ids=str
)
def test_predictions_without_floats(loss):
    with pytest.raises(DTypeError, match="expected floating-point numbers"):
        loss.forward({}, np.ones((2, 3), int), np.ones((2, 3)))


@pytest.mark.parametrize("loss", [MeanSquaredError(), BinaryCrossEntropyWithLogits()], ids=str)
def test_real_targets_without_floats(loss):
    with pytest.raises(DTypeError, match=r"target.* is of type int64, expected floating-point"):
        loss.forward({}, np.ones(3), np.ones(3, int))


@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan])
def test_binary_targets_are_probabilities(bad):
    with pytest.raises(LabelError, match=r"outside \[0, 1\]; a binary target is a probability"):
        BinaryCrossEntropyWithLogits().forward({}, np.zeros(2), np.array([0.5, bad]))


@pytest.mark.parametrize(("bad", "at"), [([0, 3], 1), ([-1, 2], 0), ([-100, 7], 1)])
def test_labels_out_of_range(bad, at):
    with pytest.raises(LabelError, match=rf"targets\[{at}\] is .*expected a class from 0 to 2 or"):
        CrossEntropy().forward({}, np.zeros((2, 3)), np.array(bad))


@pytest.mark.parametrize("targets", [np.array([0.0, 1.0]), [0, 1], np.array([True, False])])
def test_labels_that_are_no_integers(targets):
    with pytest.raises(DTypeError, match=r"targets is of type .*expected integer class labels"):
        CrossEntropy().forward({}, np.zeros((2, 3)), targets)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 1), ()])
def test_labels_of_another_shape(shape):
    with pytest.raises(ShapeError, match=r"targets has shape .*, expected \(2,\)"):
        CrossEntropy().forward({}, np.zeros((2, 3)), np.zeros(shape, int))


def test_logits_are_a_matrix():
    with pytest.raises(ShapeError, match=r"logits has shape \(3,\), expected \(N, C\)"):
        CrossEntropy().forward({}, np.zeros(3), np.zeros(3, int))


def test_all_labels_ignored():
    with pytest.raises(LabelError, match=r"all 2 targets are ignore_index \(-100\).*leave such"):
        CrossEntropy().forward({}, np.zeros((2, 3)), np.array([-100, -100]))


def test_full_smoothing_asks_for_the_uniform_distribution():
    value, d_logits, _ = loss_and_gradient(CrossEntropy(1.0), np.zeros((1, 4)), np.array([2]))
    assert value == pytest.approx(np.log(4), rel=1e-15)
    np.testing.assert_allclose(d_logits, 0, atol=1e-16)


IMPOSSIBLE = np.array([[0.5, -np.inf, 1.5], [2.0, 1.0, -np.inf]])
NO_NUMBERS = np.array([[np.nan, 0.0, 1.0], [-np.inf, -np.inf, -np.inf], [np.inf, 0.0, -np.inf]])


def test_a_logit_of_minus_infinity_counts_nothing_where_it_is_not_the_label():
    value, d_logits, _ = loss_and_gradient(CrossEntropy(), IMPOSSIBLE, np.array([2, 0]))
    z = torch.tensor(IMPOSSIBLE, requires_grad=True)
    theirs = torch.nn.functional.cross_entropy(z, torch.tensor([2, 0]))
    theirs.backward()
    assert value == pytest.approx(theirs.item(), rel=1e-15)
    assert value == pytest.approx((np.log1p(np.exp(-1)) + np.log1p(np.exp(-1))) / 2, rel=1e-14)
    np.testing.assert_allclose(d_logits, z.grad, rtol=1e-14)
    assert d_logits[0, 1] == d_logits[1, 2] == 0


@pytest.mark.parametrize(
    ("label_smoothing", "targets"), [(0.0, [1, 0]), (0.1, [2, 0])], ids=["label", "smoothed"]
)
def test_a_logit_of_minus_infinity_that_the_target_asks_for_costs_infinity(
    label_smoothing, targets
):
    value, _, _ = loss_and_gradient(CrossEntropy(label_smoothing), IMPOSSIBLE, np.array(targets))
    theirs = torch.nn.functional.cross_entropy(
        torch.tensor(IMPOSSIBLE), torch.tensor(targets), label_smoothing=label_smoothing
    )
    assert value == theirs.item() == np.inf


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.filterwarnings("error")
def test_what_an_ignored_example_holds_does_not_matter(label_smoothing):
    good = np.array([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]])
    logits = np.concatenate([NO_NUMBERS[:2], good, NO_NUMBERS[2:]])
    targets = np.array([-100, -100, 1, 0, -100])
    loss = CrossEntropy(label_smoothing)
    value, d_logits, _ = loss_and_gradient(loss, logits, targets)
    alone, d_alone, _ = loss_and_gradient(loss, good, np.array([1, 0]))
    theirs = torch.nn.functional.cross_entropy(
        torch.tensor(logits), torch.tensor(targets), label_smoothing=label_smoothing
    )
    assert value == alone
    assert value == pytest.approx(theirs.item(), rel=1e-15)
    np.testing.assert_array_equal(d_logits[2:4], d_alone)
    np.testing.assert_array_equal(d_logits[[0, 1, 4]], 0)


@pytest.mark.parametrize("label_smoothing", [-0.1, 1.1, np.nan])
def test_smoothing_is_a_share(label_smoothing):
    with pytest.raises(HyperparameterError, match=r"label_smoothing is .*from 0 to 1"):
        CrossEntropy(label_smoothing)
