"""Metrics on a small unbalanced example worked by hand, with ties, and with one class missing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigmodel_edu.errors import BookError, DTypeError, HyperparameterError, LabelError, ShapeError
from bigmodel_edu.neural_nets.reference import (
    accuracy,
    confusion_matrix,
    f1_score,
    precision,
    recall,
    roc_auc,
)

# six of class 0, three of class 1, one of class 2
Y_TRUE = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 2])
Y_PRED = np.array([0, 0, 0, 0, 1, 1, 1, 1, 0, 0])
COUNTING = [confusion_matrix, precision, recall, f1_score]
quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def count(metric, y_true, y_pred, n_classes):
    """Call the metric with its own way of naming the classes."""
    if metric is confusion_matrix:
        return metric(y_true, y_pred, n_classes)
    return metric(y_true, y_pred, n_classes=n_classes, average="macro")


# By hand


def test_confusion_matrix():
    expected = [[4, 2, 0], [1, 2, 0], [1, 0, 0]]
    np.testing.assert_array_equal(confusion_matrix(Y_TRUE, Y_PRED, 3), expected)


def test_classes_that_never_come_have_rows_of_zeros():
    np.testing.assert_array_equal(
        confusion_matrix(np.array([1]), np.array([1]), 3), np.diag([0, 1, 0])
    )


def test_accuracy():
    assert accuracy(Y_TRUE, Y_PRED) == 0.6
    assert isinstance(accuracy(Y_TRUE, Y_PRED), float)


@pytest.mark.parametrize(
    ("metric", "macro"),
    [
        (precision, (4 / 6 + 2 / 4 + 0) / 3),
        (recall, (4 / 6 + 2 / 3 + 0) / 3),
        (f1_score, (8 / 12 + 4 / 7 + 0) / 3),
    ],
)
def test_macro_and_micro(metric, macro):
    """Class 2 is never predicted: its precision is 0 / 0 and counts as 0."""
    options = {"n_classes": 3}
    assert metric(Y_TRUE, Y_PRED, average="macro", **options) == pytest.approx(macro, rel=1e-14)
    assert metric(Y_TRUE, Y_PRED, average="micro", **options) == pytest.approx(0.6, rel=1e-14)


def test_binary_looks_at_class_one():
    y_true, y_pred = np.array([1, 1, 1, 0, 0]), np.array([1, 0, 0, 1, 0])
    assert precision(y_true, y_pred) == pytest.approx(1 / 2)
    assert recall(y_true, y_pred) == pytest.approx(1 / 3)
    assert f1_score(y_true, y_pred) == pytest.approx(2 / 5)


@pytest.mark.parametrize("metric", [precision, recall, f1_score])
def test_one_example_rightly_found_is_one(metric):
    labels = np.array([1, 0])
    assert metric(labels, labels) == metric(labels, labels, average="macro") == 1


def test_nothing_found_is_zero():
    zeros, ones = np.zeros(3, int), np.ones(3, int)
    assert precision(ones, zeros) == recall(zeros, zeros) == f1_score(zeros, zeros) == 0


@pytest.mark.parametrize(
    ("scores", "area"),
    [
        ([1.0, 2.0, 3.0, 4.0], 1.0),
        ([4.0, 3.0, 2.0, 1.0], 0.0),
        ([0.0, 0.0, 0.0, 0.0], 0.5),  # all tied: a coin
        ([1.0, 3.0, 2.0, 4.0], 0.75),  # 3 of 4 pairs
        ([1.0, 2.0, 2.0, 4.0], 0.875),  # and a tie, one half
    ],
)
def test_roc_auc(scores, area):
    assert roc_auc(np.array([0, 0, 1, 1]), np.array(scores)) == area


# Properties


@st.composite
def labelled_scores(draw):
    n = draw(st.integers(2, 20))
    labels = [0, 1, *draw(st.lists(st.integers(0, 1), min_size=n - 2, max_size=n - 2))]
    scores = draw(st.lists(st.integers(-5, 5), min_size=n, max_size=n))  # few values: many ties
    return np.array(labels), np.array(scores, dtype=np.float64)


@quick
@given(labelled_scores())
def test_turning_the_scores_round_turns_the_area_round(drawn):
    y_true, scores = drawn
    assert roc_auc(y_true, -scores) == pytest.approx(1 - roc_auc(y_true, scores), abs=1e-12)
    assert roc_auc(1 - y_true, scores) == pytest.approx(1 - roc_auc(y_true, scores), abs=1e-12)


@quick
@given(labelled_scores())
def test_the_area_is_the_share_of_pairs_in_order(drawn):
    y_true, scores = drawn
    difference = scores[y_true == 1][:, None] - scores[y_true == 0]
    expected = ((difference > 0) + 0.5 * (difference == 0)).mean()
    assert roc_auc(y_true, scores) == pytest.approx(expected, abs=1e-12)


@quick
@given(labelled_scores())
def test_the_area_sees_only_the_order(drawn):
    y_true, scores = drawn
    assert roc_auc(y_true, np.exp(scores)) == roc_auc(y_true, scores)


@quick
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_micro_f1_is_the_accuracy(pairs):
    y_true, y_pred = np.array(pairs).T
    micro = f1_score(y_true, y_pred, average="micro", n_classes=4)
    assert micro == pytest.approx(accuracy(y_true, y_pred), abs=1e-12)
    assert confusion_matrix(y_true, y_pred, 4).sum() == len(pairs)


# Bad input


@pytest.mark.parametrize("metric", COUNTING)
def test_labels_out_of_range(metric):
    with pytest.raises(LabelError, match=r"y_pred\[1\] is 3, expected a class from 0 to 2"):
        count(metric, np.array([0, 1]), np.array([0, 3]), 3)
    with pytest.raises(LabelError, match=r"y_true\[0\] is -1, expected a class from 0 to 2"):
        count(metric, np.array([-1, 1]), np.array([0, 1]), 3)


@pytest.mark.parametrize("labels", [np.array([0.0, 1.0]), [0, 1], np.array(["a", "b"])])
@pytest.mark.parametrize("metric", COUNTING)
def test_labels_that_are_no_integers(metric, labels):
    with pytest.raises(DTypeError, match=r"y_true is of type .*expected integer class labels"):
        count(metric, labels, np.array([0, 1]), 3)
    with pytest.raises(DTypeError, match=r"y_pred is of type .*expected integer class labels"):
        accuracy(np.array([0, 1]), labels)
    with pytest.raises(DTypeError, match=r"y_true is of type .*expected integer class labels"):
        accuracy(labels, np.array([0, 1]))


@pytest.mark.parametrize("metric", COUNTING)
def test_other_lengths(metric):
    with pytest.raises(ShapeError, match=r"y_pred has shape \(3,\), expected \(2,\)"):
        count(metric, np.array([0, 1]), np.array([0, 1, 2]), 3)


@pytest.mark.parametrize("metric", [accuracy, roc_auc])
def test_other_lengths_without_classes(metric):
    with pytest.raises(ShapeError, match=r"has shape \(3,\), expected \(2,\)"):
        metric(np.array([0, 1]), np.array([0, 1, 2]))


def test_probabilities_in_place_of_labels():
    with pytest.raises(ShapeError, match=r"y_pred has shape \(2, 3\), expected \(2,\)"):
        accuracy(np.array([0, 1]), np.ones((2, 3)))


@pytest.mark.parametrize("metric", [accuracy, roc_auc, precision, recall, f1_score])
def test_no_examples(metric):
    with pytest.raises(ShapeError, match=r"y_true is empty \(shape \(0,\)\)"):
        metric(np.array([], int), np.array([], int))


@pytest.mark.parametrize("metric", [precision, recall, f1_score])
@pytest.mark.parametrize(("average", "n_classes"), [("binary", 3), ("weighted", 2), (None, 2)])
def test_unknown_averages(metric, average, n_classes):
    with pytest.raises(HyperparameterError, match=f"with {n_classes} classes, expected"):
        metric(np.array([0, 1]), np.array([0, 1]), average=average, n_classes=n_classes)


@pytest.mark.parametrize("only", [0, 1])
def test_one_class_has_no_roc_curve(only):
    with pytest.raises(LabelError, match="one class only, expected both 0 and 1"):
        roc_auc(np.full(3, only), np.array([0.1, 0.2, 0.3]))


def test_roc_auc_is_of_two_classes():
    with pytest.raises(LabelError, match=r"y_true\[2\] is 2, expected a class from 0 to 1"):
        roc_auc(np.array([0, 1, 2]), np.array([0.1, 0.2, 0.3]))


def test_a_nan_has_no_rank():
    with pytest.raises(BookError, match="scores holds a NaN, expected a number for every example"):
        roc_auc(np.array([0, 1]), np.array([0.1, np.nan]))
