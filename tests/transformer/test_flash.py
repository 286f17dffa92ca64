"""FlashAttention: the same numbers for any tiles, in memory that grows with the length only."""

import tracemalloc
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigmodel_edu.errors import HyperparameterError, LengthError, ShapeError
from bigmodel_edu.transformer.reference import (
    FlashAttention,
    ScaledDotProductAttention,
    merge_tiles,
    padding_mask,
)
from bigmodel_edu.transformer.reference.flash import nothing_seen, tile_of

quick = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def run(layer, inputs, **mode):
    y, cache = layer.forward({}, *inputs, **mode)
    gradients, _ = layer.backward({}, cache, normal(*y.shape, seed=9))
    return y, *gradients


def tile(s, v):
    m = s.max(axis=-1, keepdims=True)
    return m, np.exp(s - m).sum(axis=-1, keepdims=True), np.exp(s - m) @ v


# The merge


def test_two_tiles_by_hand():
    """Scores 0 | ln 3 with values 0 | 4: maxima 0 and ln 3, at the end weights 1/4 and 3/4."""
    one = (np.array([[0.0]]), np.array([[1.0]]), np.array([[0.0]]))
    other = (np.array([[np.log(3)]]), np.array([[1.0]]), np.array([[4.0]]))
    m, total, o = merge_tiles(one, other)
    assert m == np.log(3)
    np.testing.assert_allclose(total, 4 / 3, rtol=1e-15)
    np.testing.assert_allclose(o / total, 3, rtol=1e-15)


@quick
@given(st.integers(0, 2**32 - 1))
def test_merging_is_associative_and_commutative(seed):
    rng = np.random.default_rng(seed)
    a, b, c = (tile(100 * rng.normal(size=(5, 3)), rng.normal(size=(3, 2))) for _ in range(3))
    expected = merge_tiles(merge_tiles(a, b), c)
    for same in (merge_tiles(a, merge_tiles(b, c)), merge_tiles(c, merge_tiles(b, a))):
        for actual, wanted in zip(same, expected, strict=True):
            np.testing.assert_allclose(actual, wanted, rtol=1e-12, atol=1e-300)


def test_scores_that_overflow_alone_merge_without_overflow():
    with np.errstate(over="raise", invalid="raise"):
        m, total, o = merge_tiles(
            tile(np.array([[1000.0]]), np.array([[1.0]])),
            tile(np.array([[-1000.0]]), np.array([[5.0]])),
        )
    assert (m, total, o) == (1000, 1, 1)


def test_tiles_in_which_a_query_sees_nothing_merge_to_nothing():
    """A row of -∞ alone, as under a mask: its maximum stays finite, or the merge would be NaN."""
    blind = tile_of(np.full((1, 1, 1, 3), -np.inf), np.ones((1, 1, 3, 2)))
    nothing = nothing_seen(np.ones((1, 1, 1, 2)))
    with np.errstate(all="raise"):
        for one, other in product((blind, nothing), repeat=2):
            m, total, o = merge_tiles(one, other)
            assert np.isfinite(m).all()
            assert not total.any()
            assert not o.any()


# The whole


@quick
@given(
    n_queries=st.integers(1, 9),
    n_keys=st.integers(1, 9),
    block_q=st.integers(1, 10),
    block_k=st.integers(1, 10),
    causal=st.booleans(),
    kv_heads=st.sampled_from([1, 2, 4]),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_tiles_give_the_numbers_of_attention(
    n_queries, n_keys, block_q, block_k, causal, kv_heads, seed
):
    n_queries = min(n_queries, n_keys) if causal else n_queries
    rng = np.random.default_rng(seed)
    inputs = (
        10 * rng.normal(size=(2, 4, n_queries, 3)),
        rng.normal(size=(2, kv_heads, n_keys, 3)),
        rng.normal(size=(2, kv_heads, n_keys, 2)),
    )
    with np.errstate(all="raise", under="ignore"):
        tiled = run(FlashAttention(causal=causal, block_q=block_q, block_k=block_k), inputs)
    for actual, wanted in zip(
        tiled, run(ScaledDotProductAttention(causal=causal), inputs), strict=True
    ):
        np.testing.assert_allclose(actual, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
def test_lengths_are_a_padding_mask(causal):
    inputs = normal(3, 2, 7, 4), normal(3, 2, 7, 4, seed=1), normal(3, 2, 7, 4, seed=2)
    lengths = np.array([7, 3, 1])
    tiled = run(FlashAttention(causal=causal, block_q=2, block_k=3), inputs, lengths=lengths)
    whole = run(ScaledDotProductAttention(causal=causal), inputs, mask=padding_mask(lengths, 7))
    for actual, wanted in zip(tiled, whole, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-10, atol=1e-13)


def test_a_scale_may_be_given():
    inputs = normal(1, 2, 5, 4), normal(1, 2, 7, 4, seed=1), normal(1, 2, 7, 4, seed=2)
    tiled = run(FlashAttention(scale=0.1, block_k=3), inputs)
    whole = run(ScaledDotProductAttention(scale=0.1), inputs)
    for actual, wanted in zip(tiled, whole, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-10, atol=1e-13)


def peak_bytes(layer, inputs) -> int:
    """Return the most memory that forward and backward take at once, beyond the inputs."""
    tracemalloc.start()
    try:
        y, cache = layer.forward({}, *inputs)
        layer.backward({}, cache, y)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_at_4096_tokens_is_under_a_tenth():
    inputs = [normal(1, 1, 4096, 16, seed=i).astype(np.float32) for i in range(3)]
    tiled = peak_bytes(FlashAttention(block_q=256, block_k=256), inputs)
    whole = peak_bytes(ScaledDotProductAttention(), inputs)
    assert whole > 4096 * 4096 * 4
    assert tiled < whole / 10


def test_memory_grows_with_the_length_not_with_its_square():
    layer = FlashAttention(block_q=64, block_k=64)
    at_512, at_2048 = (
        peak_bytes(layer, [normal(1, 1, n, 16, seed=i) for i in range(3)]) for n in (512, 2048)
    )
    assert at_2048 < 5 * at_512


# Bad input


def test_more_causal_queries_than_keys():
    with pytest.raises(LengthError, match="5 queries and 3 keys, expected no more queries"):
        FlashAttention(causal=True).forward(
            {}, np.ones((1, 1, 5, 2)), np.ones((1, 1, 3, 2)), np.ones((1, 1, 3, 2))
        )


@pytest.mark.parametrize("length", [0, 4])
def test_lengths_outside_the_keys(length):
    x = np.ones((2, 1, 3, 2))
    with pytest.raises(LengthError, match=rf"lengths\[1\] is {length}, expected a length from 1"):
        FlashAttention().forward({}, x, x, x, lengths=np.array([3, length]))


def test_lengths_of_another_batch():
    x = np.ones((2, 1, 3, 2))
    with pytest.raises(ShapeError, match=r"lengths has shape \(3,\), expected \(2,\)"):
        FlashAttention().forward({}, x, x, x, lengths=np.array([3, 3, 3]))


@pytest.mark.parametrize("name", ["block_q", "block_k"])
def test_tiles_have_a_size(name):
    with pytest.raises(HyperparameterError, match=f"{name} is 0"):
        FlashAttention(**{name: 0})
