"""The helpers of the layer contract, and what they say to a reader."""

import numpy as np
import pytest

from bigmodel_edu.errors import (
    DTypeError,
    HyperparameterError,
    LabelError,
    LengthError,
    ShapeError,
    TokenError,
)
from bigmodel_edu.layer import (
    Layer,
    expect_count,
    expect_divisible,
    expect_floats,
    expect_integers,
    expect_labels,
    expect_lengths,
    expect_not_negative,
    expect_shape,
    expect_tokens,
    shape_text,
    with_prefix,
    without_prefix,
)


def test_prefixes_go_on_and_come_off():
    arrays = {"weight": np.ones(2), "sub.bias": np.zeros(3)}
    prefixed = with_prefix("0", arrays)
    assert list(prefixed) == ["0.weight", "0.sub.bias"]
    assert without_prefix("0", prefixed) == arrays


def test_a_prefix_ends_at_its_dot():
    arrays = {"1.weight": 1, "10.weight": 2, "weight": 3}
    assert without_prefix("1", arrays) == {"weight": 1}


@pytest.mark.parametrize(
    ("shape", "text"), [((), "()"), ((3,), "(3,)"), (("N", 64), "(N, 64)"), ((2, 3), "(2, 3)")]
)
def test_shape_text(shape, text):
    assert shape_text(shape) == text


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5, 7), (5, 7)),
        ((5, 7), ("N", 7)),
        ((7,), ("...", 7)),
        ((2, 3, 7), ("...", 7)),
        ((2, 3, 7), ("...", "T", 7)),
        ((), ()),
        ((2, 3), ("...",)),
    ],
)
def test_fitting_shapes(shape, expected):
    expect_shape("x", np.ones(shape), *expected)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((7, 5), ("N", 7)),
        ((7,), ("N", 7)),
        ((2, 5, 7), ("N", 7)),
        ((), ("...", 7)),
        ((3,), ("...", "T", 3)),
        ((5,), ()),
        ((), (5,)),
    ],
)
def test_other_shapes_say_what_came_and_what_was_expected(shape, expected):
    with pytest.raises(ShapeError) as caught:
        expect_shape("x", np.ones(shape), *expected)
    message = str(caught.value)
    assert f"x has shape {shape_text(shape)}, expected {shape_text(expected)}" in message
    assert "check" in message


@pytest.mark.parametrize("expected", [("N", 7), ("...", 7)])
def test_an_empty_batch_is_refused(expected):
    with pytest.raises(ShapeError, match=r"x is empty \(shape \(0, 7\)\); give at least one"):
        expect_shape("x", np.ones((0, 7)), *expected)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats(dtype):
    expect_floats("x", np.ones(3, dtype))


@pytest.mark.parametrize(
    ("value", "came"),
    [
        (np.ones(3, int), "int64"),
        (np.ones(3, bool), "bool"),
        (np.ones(3, complex), "complex128"),
        (np.array(["a"]), "<U1"),
        ([1.0, 2.0], "list"),
        (1.5, "float"),
        (None, "NoneType"),
    ],
)
def test_what_holds_no_floats(value, came):
    with pytest.raises(DTypeError, match=f"x is of type {came}, expected floating-point") as caught:
        expect_floats("x", value)
    assert "np.asarray(x, dtype=np.float64)" in str(caught.value)


@pytest.mark.parametrize("value", [np.ones(3), np.ones(3, bool), [0, 1], None])
def test_what_holds_no_integers(value):
    with pytest.raises(DTypeError, match=r"labels is of type .*, expected integer class labels"):
        expect_integers("labels", value)
    with pytest.raises(DTypeError, match=r"np\.asarray\(labels, dtype=np\.int64\)"):
        expect_labels("labels", value, 3)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_labels_in_range(dtype):
    expect_labels("labels", np.array([0, 1, 2], dtype), 3)


@pytest.mark.parametrize(("labels", "at", "came"), [([0, 3, 5], 1, 3), ([0, 1, -1], 2, -1)])
def test_the_first_label_out_of_range_is_named(labels, at, came):
    message = rf"labels\[{at}\] is {came}, expected a class from 0 to 2; check"
    with pytest.raises(LabelError, match=message):
        expect_labels("labels", np.array(labels), 3)


def test_ignored_labels_are_allowed_and_named():
    expect_labels("labels", np.array([0, -100]), 3, ignored=-100)
    with pytest.raises(
        LabelError, match=r"is -1, expected a class from 0 to 2 or -100 \(ignored\)"
    ):
        expect_labels("labels", np.array([0, -1]), 3, ignored=-100)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (0, 4)])
def test_tokens_of_any_shape_are_taken(shape):
    expect_tokens("tokens", np.full(shape, 6, dtype=np.int32), 7)


@pytest.mark.parametrize(("token", "at"), [(7, (1, 2)), (-1, (0, 1))])
def test_the_first_token_outside_the_vocabulary_is_named(token, at):
    tokens = np.zeros((2, 3), dtype=np.int64)
    tokens[at] = token
    message = rf"tokens\[{at[0]}, {at[1]}\] is {token}, expected a token id from 0 to 6; was"
    with pytest.raises(TokenError, match=message):
        expect_tokens("tokens", tokens, 7)


def test_tokens_are_integers():
    with pytest.raises(DTypeError, match="tokens is of type float64, expected integer token ids"):
        expect_tokens("tokens", np.ones(3), 7)


def test_lengths_in_range():
    expect_lengths("lengths", np.array([1, 7, 3]), 3, 7)


@pytest.mark.parametrize(("lengths", "at"), [([3, 0, 9], 1), ([3, 1, 8], 2), ([-1, 1, 1], 0)])
def test_a_length_that_no_sequence_can_have(lengths, at):
    message = rf"lengths\[{at}\] is {lengths[at]}, expected a length from 1 to 7"
    with pytest.raises(LengthError, match=message):
        expect_lengths("lengths", np.array(lengths), 3, 7)


def test_there_is_one_length_for_each_sequence():
    with pytest.raises(ShapeError, match=r"lengths has shape \(2,\), expected \(3,\)"):
        expect_lengths("lengths", np.array([1, 2]), 3, 7)
    with pytest.raises(DTypeError, match="expected integer lengths of sequences"):
        expect_lengths("lengths", np.ones(3), 3, 7)


def test_what_can_be_shared_out_equally():
    expect_divisible("embed_dim", 12, "num_heads", 3)
    with pytest.raises(HyperparameterError, match="embed_dim is 12 and num_heads is 5, expected"):
        expect_divisible("embed_dim", 12, "num_heads", 5)
    with pytest.raises(HyperparameterError, match="num_heads is 0, expected a whole number"):
        expect_divisible("embed_dim", 12, "num_heads", 0)


@pytest.mark.parametrize("value", [1, 7, np.int64(3)])
def test_counts(value):
    expect_count("n", value)


@pytest.mark.parametrize("value", [0, -1, 2.0, 1.5, "3", None])
def test_what_is_no_count(value):
    with pytest.raises(HyperparameterError, match=f"n is {value}, expected a whole number of 1"):
        expect_count("n", value)


@pytest.mark.parametrize("value", [-1e-9, -3, float("nan")])
def test_what_is_negative(value):
    with pytest.raises(HyperparameterError, match=f"λ is {value}, expected a number of 0 or more"):
        expect_not_negative("λ", value)


def test_a_bare_layer_has_neither_parameters_nor_buffers():
    assert Layer().init(np.random.default_rng(0)) == {}
    assert Layer().updated_buffers({}, None) == {}
    with pytest.raises(NotImplementedError):
        Layer().forward({}, np.ones(3))
    with pytest.raises(NotImplementedError):
        Layer().backward({}, None, np.ones(3))
