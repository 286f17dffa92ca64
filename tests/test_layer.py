"""The layer contract: composites, the helpers, and what they say to a reader."""

import copy
import pickle
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from bigmodel_edu.errors import (
    BookError,
    DTypeError,
    HyperparameterError,
    LabelError,
    LengthError,
    ShapeError,
    TokenError,
)
from bigmodel_edu.layer import (
    BackwardPass,
    Composite,
    ForwardPass,
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
    numbered,
    shape_text,
    with_prefix,
    without_prefix,
)
from bigmodel_edu.neural_nets.reference import BatchNorm1d, Dropout, Linear, Tanh


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


# Composites


@dataclass(frozen=True)
class Twice(Composite):
    """Twelve equal layers, a shared one around them, a tied output and a scale of its own."""

    size: int
    dropout: float = 0.0

    mode_dependent: ClassVar[bool] = True
    unprefixed: ClassVar[tuple[str, ...]] = ("bare",)

    def named_parts(self):
        return {
            "shared": Linear(self.size, self.size),
            **numbered("stack.layers", 12 * [Linear(self.size, self.size)]),
            "bare": Linear(self.size, self.size),
            "tanh": Tanh(),
            "norm": BatchNorm1d(self.size),
            "dropout": Dropout(self.dropout),
        }

    def init(self, rng):
        return {"scale": np.array(2.0)} | super().init(rng)

    def forward(self, params, x, *, training=False, rng=None):
        run = ForwardPass(self, params, training=training, rng=rng)
        x = run("tanh", run("shared", x))
        for name in self.names("stack.layers"):
            x = run(name, x)
        x = run("norm", run("dropout", run("bare", x)))
        x = run("norm", run("dropout", run("shared", x)))
        scaled = params["scale"] * x
        return scaled @ self.params_of("shared", params)["weight"], run.cache(x, scaled)

    def backward(self, params, cache, dy):
        back = BackwardPass(self, params, cache)
        x, scaled = back.own
        weight = params["shared.weight"]
        back.add("shared", {"weight": scaled.T @ dy})
        d_scaled = dy @ weight.T
        d_scale = (d_scaled * x).sum()
        (dx,) = back("norm", d_scaled * params["scale"])
        (dx,) = back("dropout", dx)
        (dx,) = back("shared", dx)
        (dx,) = back("norm", dx)
        (dx,) = back("dropout", dx)
        (dx,) = back("bare", dx)
        for name in reversed(self.names("stack.layers")):
            (dx,) = back(name, dx)
        (dx,) = back("tanh", dx)
        return back("shared", dx), back.grads | {"scale": d_scale}


@pytest.fixture
def twice():
    layer = Twice(3, dropout=0.4)
    rng = np.random.default_rng(0)
    return layer, layer.init(rng), rng.normal(size=(5, 3))


def test_init_draws_the_parts_in_the_order_of_their_declaration(twice):
    _, params, _ = twice
    rng = np.random.default_rng(0)
    linears = ["shared", *(f"stack.layers.{i}" for i in range(12)), ""]
    for name in linears:
        drawn = Linear(3, 3).init(rng)
        expected = with_prefix(name, drawn) if name else drawn
        for key, value in expected.items():
            np.testing.assert_array_equal(params[key], value)
    norm = [f"norm.{key}" for key in BatchNorm1d(3).init(rng)]
    of_linears = [f"{name}.{key}" if name else key for name in linears for key in drawn]
    assert list(params) == ["scale", *of_linears, *norm]


def test_the_names_of_a_list_keep_their_order_and_know_no_others(twice):
    layer, *_ = twice
    assert layer.names("stack.layers") == [f"stack.layers.{i}" for i in range(12)]
    assert layer.names("stack") == layer.names("layers") == []


def test_a_part_sees_its_own_parameters_only(twice):
    layer, params, _ = twice
    assert layer.params_of("stack.layers.1", params).keys() == {"weight", "bias"}
    assert layer.params_of("stack.layers.1", params)["weight"] is params["stack.layers.1.weight"]
    assert layer.params_of("dropout", params) == {}
    assert layer.params_of("bare", params) is params


def test_a_part_is_an_attribute_unless_a_field_has_its_name(twice):
    layer, *_ = twice
    assert layer.shared == Linear(3, 3)
    assert layer.dropout == 0.4
    assert layer.part("dropout") == Dropout(0.4)
    with pytest.raises(AttributeError, match="'Twice' object has no attribute 'attention'"):
        layer.attention  # noqa: B018


def test_a_composite_is_still_a_value(twice):
    layer, *_ = twice
    for other in (Twice(3, 0.4), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert other == layer
        assert hash(other) == hash(layer)
        assert other.parts == layer.parts
    assert replace(layer, size=5).shared == Linear(5, 5)
    assert repr(layer) == "Twice(size=3, dropout=0.4)"


@pytest.mark.parametrize(
    ("options", "message"), [((0,), "in_features is 0, expected"), ((3, 1.0), "p is 1.0, expected")]
)
def test_the_parts_check_their_hyperparameters_when_the_composite_is_made(options, message):
    with pytest.raises(HyperparameterError, match=message):
        Twice(*options)


@pytest.mark.parametrize("training", [False, True])
def test_parts_that_run_twice_and_tied_weights_have_the_sum_of_their_gradients(twice, training):
    layer, params, x = twice

    def output(params, x):
        rng = np.random.default_rng(1)
        return layer.forward(params, x, training=training, rng=rng)

    y, cache = output(params, x)
    dy = np.random.default_rng(2).normal(size=y.shape)
    (dx,), grads = layer.backward(params, cache, dy)
    assert grads.keys() == {k for k in params if "running" not in k and "tracked" not in k}
    step = 1e-6
    for name, gradient in (grads | {"x": dx}).items():
        direction = np.random.default_rng(3).normal(size=np.shape(gradient))
        losses = []
        for sign in (1, -1):
            moved = {"x": x} | params
            moved[name] = moved[name] + sign * step * direction
            losses.append((dy * output(moved, moved["x"])[0]).sum())
        slope = (losses[0] - losses[1]) / (2 * step)
        assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-5, abs=1e-7), name


def test_backward_may_be_asked_again_and_changes_neither_cache_nor_arrays(twice):
    layer, params, x = twice
    y, cache = layer.forward(params, x, training=True, rng=np.random.default_rng(1))
    (dx,), grads = layer.backward(params, cache, np.ones_like(y))
    (again,), grads_again = layer.backward(params, cache, np.ones_like(y))
    np.testing.assert_array_equal(dx, again)
    for name, gradient in grads.items():
        np.testing.assert_array_equal(gradient, grads_again[name])


def test_only_parts_that_differ_in_training_are_told_of_it(twice):
    layer, params, x = twice
    run = ForwardPass(layer, params, training=True, rng=np.random.default_rng(1))
    expected, _ = Dropout(0.4).forward({}, x, training=True, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(run("dropout", x), expected)
    run("tanh", x)  # would refuse training=
    np.testing.assert_array_equal(ForwardPass(layer, params)("dropout", x), x)
    kept = ForwardPass(layer, params, training=True)("dropout", x, mask=np.ones_like(x))
    np.testing.assert_allclose(kept, x / 0.6)


def test_the_running_statistics_of_a_part_that_ran_twice_moved_twice(twice):
    layer, params, x = twice
    _, cache = layer.forward(params, x, training=True, rng=np.random.default_rng(1))
    buffers = layer.updated_buffers(params, cache)
    assert buffers["norm.num_batches_tracked"] == 2
    own, norm = without_prefix("norm", params), BatchNorm1d(3)
    for of_use in cache.of_parts["norm"]:
        own = own | norm.updated_buffers(own, of_use)
    for key in ("running_mean", "running_var", "num_batches_tracked"):
        np.testing.assert_array_equal(buffers[f"norm.{key}"], own[key])
    assert len(buffers) == 3
    _, cache = layer.forward(params, x)
    assert layer.updated_buffers(params, cache) == {}


def test_another_method_of_a_part_gets_its_parameters_and_leaves_no_cache():
    @dataclass(frozen=True)
    class Counter(Layer):
        def step(self, params, x, *, by):
            return params["start"] + by * x

    @dataclass(frozen=True)
    class Holder(Composite):
        def named_parts(self):
            return {"counter": Counter()}

    run = ForwardPass(Holder(), {"counter.start": 5, "start": 7})
    assert run("counter", 3, by=2, method="step") == 11
    assert run.cache("own") == ({}, ("own",))


def test_a_part_that_is_not_there(twice):
    layer, params, x = twice
    with pytest.raises(BookError, match="Twice has no part 'share'; its parts are shared, stack"):
        ForwardPass(layer, params)("share", x)
    _, cache = layer.forward(params, x)
    with pytest.raises(BookError, match="has no part 'share'"):
        BackwardPass(layer, params, cache)("share", x)


def test_what_ran_once_is_undone_once(twice):
    layer, params, x = twice
    _, cache = layer.forward(params, x)
    back = BackwardPass(layer, params, cache)
    back("tanh", x)
    with pytest.raises(BookError, match="backward runs 'tanh' of Twice more often than forward"):
        back("tanh", x)


def test_a_composite_without_parts_says_what_to_write():
    with pytest.raises(NotImplementedError):
        Composite().__post_init__()
