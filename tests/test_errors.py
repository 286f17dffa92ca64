"""Errors are sentences for a reader."""

import pytest

from bigmodel_edu import errors
from bigmodel_edu.errors import BookError, UnknownName, did_you_mean

NAMES = ["neural_nets.softmax", "neural_nets.softmax_backward", "lstm.cell", "data"]


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("neural_nets.sotfmax", "neural_nets.softmax"),
        ("neural_net.softmax", "neural_nets.softmax"),
        ("softmax", "neural_nets.softmax"),
        ("sotfmax", "neural_nets.softmax"),
        ("gan.softmax", "neural_nets.softmax"),
        ("lstm.sell", "lstm.cell"),
        ("dta", "data"),
    ],
)
def test_the_nearest_name_is_suggested(name, suggested):
    assert did_you_mean(name, NAMES) == f" Did you mean {suggested!r}?"


@pytest.mark.parametrize("name", ["", "quaternion", "neural_nets.xyzzy_plugh"])
def test_nothing_is_suggested_when_nothing_is_near(name):
    assert did_you_mean(name, ["lstm.cell", "data"]) == ""


def test_no_names_no_suggestion():
    assert did_you_mean("softmax", []) == ""


def test_names_may_come_from_any_iterable():
    assert "lstm.cell" in did_you_mean("lstm.cel", (name for name in NAMES))


def test_unknown_name_prints_its_sentence_and_not_a_repr():
    error = UnknownName("there is no layer named 'x'.")
    assert str(error) == "there is no layer named 'x'."


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.ShapeError, ValueError),
        (errors.DTypeError, TypeError),
        (errors.LabelError, ValueError),
        (errors.HyperparameterError, ValueError),
        (errors.UnknownName, KeyError),
    ],
)
def test_deliberate_errors_can_be_caught_both_ways(error, builtin):
    assert issubclass(error, BookError)
    assert issubclass(error, builtin)
