"""Attention: by hand on two to four tokens, and what it promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigmodel_edu.errors import DTypeError, HyperparameterError, ShapeError
from bigmodel_edu.transformer.reference import (
    MultiHeadAttention,
    ScaledDotProductAttention,
    causal_mask,
    join_heads,
    padding_mask,
    split_heads,
)

quick = settings(max_examples=25, deadline=None, derandomize=True, database=None)
LOG_3 = np.log(3)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def attend(q, k, v, mask=None, **options):
    q, k, v = (np.asarray(x, dtype=np.float64)[None, None] for x in (q, k, v))
    y, _ = ScaledDotProductAttention(**options).forward({}, q, k, v, mask=mask)
    return y[0, 0]


# By hand


def test_two_tokens_by_hand():
    """Scores 0 and ln 3: weights 1/4 and 3/4."""
    y = attend([[1.0]], [[0.0], [LOG_3]], [[0.0, 4.0], [8.0, 0.0]])
    np.testing.assert_allclose(y, [[6, 1]], rtol=1e-15)


def test_scores_are_divided_by_the_root_of_d():
    """d = 4: the score 2 ln 3 becomes ln 3."""
    q, k = [[1.0, 1, 1, 1]], [[0.0] * 4, [LOG_3 / 2] * 4]
    np.testing.assert_allclose(attend(q, k, [[0.0], [4.0]]), [[3]], rtol=1e-15)


def test_a_scale_may_be_given():
    y = attend([[1.0]], [[0.0], [LOG_3 / 2]], [[0.0], [4.0]], scale=2.0)
    np.testing.assert_allclose(y, [[3]], rtol=1e-15)


def test_equal_keys_average_the_values():
    values = np.arange(8.0).reshape(4, 2)
    np.testing.assert_allclose(
        attend(normal(3, 5), np.ones((4, 5)), values), np.tile(values.mean(0), (3, 1)), rtol=1e-14
    )


def test_four_tokens_with_a_causal_mask_average_what_came_before():
    y = attend(np.zeros((4, 1)), np.zeros((4, 1)), [[8.0], [4.0], [0.0], [8.0]], causal=True)
    np.testing.assert_allclose(y, [[8], [6], [4], [5]], rtol=1e-15)


def test_a_mask_of_floats_is_added_to_the_scores():
    mask = np.array([[0.0, LOG_3]])
    np.testing.assert_allclose(
        attend([[1.0]], [[0.0], [0.0]], [[0.0], [4.0]], mask), [[3]], rtol=1e-15
    )


def test_huge_scores_choose_one_key():
    y = attend([[1.0]], [[1e4], [-1e4], [0.0]], [[1.0], [2.0], [3.0]])
    np.testing.assert_array_equal(y, [[1]])


# What it promises


def test_weights_of_a_query_sum_to_one_and_avoid_the_masked():
    mask = padding_mask(np.array([3, 7]), 7)
    p = ScaledDotProductAttention().weights(normal(2, 3, 5, 4), normal(2, 3, 7, 4), mask=mask)
    np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-14)
    assert not p[0, :, :, 3:].any()
    assert (p[1] > 0).all()


def test_masked_keys_and_values_do_not_matter():
    attention, mask = ScaledDotProductAttention(), padding_mask(np.array([3]), 7)
    q, k, v = normal(1, 2, 5, 4), normal(1, 2, 7, 4, seed=1), normal(1, 2, 7, 3, seed=2)
    y, cache = attention.forward({}, q, k, v, mask=mask)
    (_, dk, dv), _ = attention.backward({}, cache, np.ones_like(y))
    assert not dk[:, :, 3:].any()
    assert not dv[:, :, 3:].any()
    k[:, :, 3:], v[:, :, 3:] = 100.0, -100.0
    np.testing.assert_array_equal(attention.forward({}, q, k, v, mask=mask)[0], y)


def test_heads_of_keys_serve_neighbouring_heads_of_queries():
    q, k, v = normal(2, 6, 5, 4), normal(2, 3, 7, 4), normal(2, 3, 7, 2)
    grouped, _ = ScaledDotProductAttention().forward({}, q, k, v)
    repeated, _ = ScaledDotProductAttention().forward({}, q, k.repeat(2, axis=1), v.repeat(2, 1))
    np.testing.assert_allclose(grouped, repeated, rtol=1e-13)


@quick
@given(st.permutations(range(5)))
def test_the_order_of_the_keys_does_not_matter(order):
    q, k, v = normal(1, 2, 3, 4), normal(1, 2, 5, 4, seed=1), normal(1, 2, 5, 3, seed=2)
    attention = ScaledDotProductAttention()
    y, _ = attention.forward({}, q, k, v)
    shuffled, _ = attention.forward({}, q, k[:, :, list(order)], v[:, :, list(order)])
    np.testing.assert_allclose(shuffled, y, rtol=1e-12)


def test_float32_stays_float32():
    q = normal(2, 3, 5, 4).astype(np.float32)
    layer = ScaledDotProductAttention(causal=True, scale=0.3)
    y, cache = layer.forward({}, q, q, q, mask=np.zeros((5, 5)))
    grads, _ = layer.backward({}, cache, y)
    assert {x.dtype for x in (y, *grads)} == {np.dtype(np.float32)}


def test_heads_are_split_and_joined():
    x = np.arange(12.0).reshape(1, 2, 6)
    heads = split_heads(x, 3)
    np.testing.assert_array_equal(heads[0, 1], [[2, 3], [8, 9]])
    np.testing.assert_array_equal(join_heads(heads), x)


# Multi-head attention


def layer_and_params(*args, **options):
    layer = MultiHeadAttention(*args, **options)
    rng = np.random.default_rng(0)
    return layer, {k: v + 0.1 * rng.normal(size=v.shape) for k, v in layer.init(rng).items()}


@quick
@given(st.permutations(range(5)))
def test_without_positions_it_is_equivariant_under_permutation(order):
    """Shuffle the tokens and the outputs are shuffled: it does not know an order."""
    layer, params = layer_and_params(12, 3)
    x = normal(2, 5, 12)
    y, _ = layer.forward(params, x)
    shuffled, _ = layer.forward(params, x[:, list(order)])
    np.testing.assert_allclose(shuffled, y[:, list(order)], rtol=1e-11, atol=1e-13)


def test_rotary_positions_break_the_equivariance():
    layer, params = layer_and_params(12, 3, rotary_base=100.0)
    x = normal(2, 5, 12)
    y, _ = layer.forward(params, x)
    shuffled, _ = layer.forward(params, x[:, ::-1])
    assert np.abs(shuffled - y[:, ::-1]).max() > 1e-3


@pytest.mark.parametrize("t", range(5))
def test_a_later_token_changes_nothing_before_it(t):
    layer, params = layer_and_params(12, 6, 2, causal=True, rotary_base=100.0)
    x = normal(2, 5, 12)
    y, _ = layer.forward(params, x)
    x[:, t] += 1
    changed, _ = layer.forward(params, x)
    np.testing.assert_array_equal(changed[:, :t], y[:, :t])
    assert np.abs(changed[:, t:] - y[:, t:]).max(axis=-1).min() > 1e-6


def test_only_relative_positions_matter_to_rotary_attention():
    layer, params = layer_and_params(12, 3, rotary_base=100.0)
    scores = []
    for offset in (0, 100):
        q, k, _ = layer.project(params, normal(2, 5, 12), offset=offset)
        scores.append(q @ k.swapaxes(-1, -2))
    np.testing.assert_allclose(scores[1], scores[0], atol=1e-12)


def test_memory_equal_to_x_is_self_attention():
    layer, params = layer_and_params(12, 6, 3)
    x = normal(2, 5, 12)
    y, cache = layer.forward(params, x)
    same, same_cache = layer.forward(params, x, x)
    np.testing.assert_allclose(same, y, rtol=1e-13)
    (dx, none), grads = layer.backward(params, cache, y)
    (d_query, d_memory), same_grads = layer.backward(params, same_cache, y)
    assert none is None
    np.testing.assert_allclose(d_query + d_memory, dx, rtol=1e-10, atol=1e-13)
    for name, grad in grads.items():
        np.testing.assert_allclose(same_grads[name], grad, rtol=1e-10, atol=1e-12)


def test_attention_weights_are_those_of_forward():
    layer, params = layer_and_params(12, 3, causal=True)
    x = normal(2, 5, 12)
    weights = layer.attention_weights(params, x)
    assert weights.shape == (2, 3, 5, 5)
    assert not (weights * ~causal_mask(5)).any()
    _, _, v = layer.project(params, x)
    y = layer.project_out(params, join_heads(weights @ v))
    np.testing.assert_allclose(y, layer.forward(params, x)[0], rtol=1e-12)


@pytest.mark.parametrize(("kv_heads", "rows"), [(None, 36), (6, 36), (3, 24), (2, 20), (1, 16)])
def test_rows_of_the_projection(kv_heads, rows):
    params = MultiHeadAttention(12, 6, kv_heads).init(np.random.default_rng(0))
    assert {name: value.shape for name, value in params.items()} == {
        "in_proj_weight": (rows, 12),
        "in_proj_bias": (rows,),
        "out_proj.weight": (12, 12),
        "out_proj.bias": (12,),
    }


# Bad input


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: MultiHeadAttention(12, 5), "embed_dim is 12 and num_heads is 5"),
        (lambda: MultiHeadAttention(12, 6, 4), "num_heads is 6 and num_kv_heads is 4"),
        (lambda: MultiHeadAttention(12, 0), "num_heads is 0"),
        (lambda: MultiHeadAttention(12, 4, rotary_base=10.0), "head_dim is 3, expected an even"),
        (lambda: MultiHeadAttention(12, 6, rotary_base=0.5), "base is 0.5"),
    ],
)
def test_hyperparameters(build, message):
    with pytest.raises(HyperparameterError, match=message):
        build()


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 3, 5, 4), (2, 3, 7, 6), (2, 3, 7, 4)), r"k has shape \(2, 3, 7, 6\)"),
        (((2, 3, 5, 4), (1, 3, 7, 4), (1, 3, 7, 4)), r"k has shape \(1, 3, 7, 4\)"),
        (((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 8, 4)), r"v has shape \(2, 3, 8, 4\)"),
        (((3, 5, 4), (3, 7, 4), (3, 7, 4)), r"q has shape \(3, 5, 4\)"),
        (((2, 3, 5, 4), (2, 2, 7, 4), (2, 2, 7, 4)), "q has 3 heads and k has 2, expected a mult"),
        (((2, 3, 0, 4), (2, 3, 7, 4), (2, 3, 7, 4)), "q is empty"),
        (((2, 3, 5, 4), (2, 3, 0, 4), (2, 3, 0, 4)), "k is empty"),
    ],
)
def test_shapes_that_do_not_fit(shapes, message):
    with pytest.raises(ShapeError, match=message):
        ScaledDotProductAttention().forward({}, *map(np.ones, shapes))


@pytest.mark.parametrize("name", ["q", "k", "v"])
def test_integers(name):
    arrays = {n: np.ones((1, 1, 2, 2), int if n == name else float) for n in ("q", "k", "v")}
    with pytest.raises(DTypeError, match=f"{name} is of type int64"):
        ScaledDotProductAttention().forward({}, *arrays.values())


@pytest.mark.parametrize(
    ("x", "memory", "message"),
    [
        (np.ones((2, 5, 11)), None, r"x has shape \(2, 5, 11\)"),
        (np.ones((2, 0, 12)), None, "x is empty"),
        (np.ones((2, 5, 12)), np.ones((3, 7, 12)), r"memory has shape \(3, 7, 12\)"),
        (np.ones((2, 5, 12)), np.ones((2, 0, 12)), "memory is empty"),
    ],
)
def test_sequences_that_do_not_fit(x, memory, message):
    layer, params = layer_and_params(12, 3)
    with pytest.raises(ShapeError, match=message):
        layer.forward(params, x, memory)
