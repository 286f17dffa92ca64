"""The key-value cache: step by step the same numbers as all at once."""

import numpy as np
import pytest

from bigmodel_edu.errors import LengthError, ShapeError
from bigmodel_edu.transformer.reference import DecoderBlock, KeyValueCache, MultiHeadAttention


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("sizes", [(1,) * 7, (7,), (3, 1, 2, 1), (2, 5)])
@pytest.mark.parametrize("rotary_base", [None, 100.0])
def test_attention_step_by_step_is_causal_attention(sizes, rotary_base):
    layer = MultiHeadAttention(12, 6, 3, causal=True, rotary_base=rotary_base)
    params, x = layer.init(np.random.default_rng(0)), normal(2, 7, 12)
    whole, _ = layer.forward(params, x)
    cache = KeyValueCache.empty(2, 3, 7, 2, like=x)
    steps = [layer.step(params, part, cache) for part in np.split(x, np.cumsum(sizes)[:-1], axis=1)]
    np.testing.assert_allclose(np.concatenate(steps, axis=1), whole, rtol=1e-12, atol=1e-14)
    assert cache.length == 7


def test_a_decoder_block_step_by_step():
    layer = DecoderBlock(12, 6, 17, 2)
    params, x = layer.init(np.random.default_rng(0)), normal(3, 7, 12)
    whole, _ = layer.forward(params, x)
    cache = layer.empty_cache(3, 10, like=x)
    for t in range(7):
        step = layer.step(params, x[:, t : t + 1], cache)
        np.testing.assert_allclose(step, whole[:, t : t + 1], rtol=1e-12, atol=1e-14)


def test_looking_at_stored_keys_is_attention_to_the_memory():
    layer = MultiHeadAttention(12, 6, 3)
    params, x, memory = layer.init(np.random.default_rng(0)), normal(2, 5, 12), normal(2, 7, 12)
    stored = layer.keys_and_values(params, memory)
    whole, _ = layer.forward(params, x, memory)
    np.testing.assert_allclose(layer.look(params, x, *stored), whole, rtol=1e-13)


def test_it_holds_what_was_appended_and_nothing_else():
    cache = KeyValueCache.empty(1, 1, 4, 2, like=np.zeros(0, np.float32))
    k, v = np.ones((1, 1, 3, 2)), np.full((1, 1, 3, 2), 2.0)
    keys, values = cache.append(k, v)
    np.testing.assert_array_equal(keys, k)
    np.testing.assert_array_equal(values, v)
    assert keys.dtype == np.float32
    keys, values = cache.append(k[:, :, :1], v[:, :, :1])
    assert keys.shape == values.shape == (1, 1, 4, 2)


def test_select_copies_rows():
    cache = KeyValueCache.empty(2, 1, 4, 1, like=np.zeros(0))
    cache.append(np.array([1.0, 2]).reshape(2, 1, 1, 1), np.zeros((2, 1, 1, 1)))
    chosen = cache.select(np.array([1, 1, 0]))
    assert chosen.length == 1
    np.testing.assert_array_equal(chosen.keys[:, 0, 0, 0], [2, 2, 1])
    chosen.append(np.ones((3, 1, 1, 1)), np.ones((3, 1, 1, 1)))
    assert cache.length == 1
    assert not cache.keys[:, :, 1].any()


# Bad input


def test_a_cache_of_another_batch_size():
    layer = DecoderBlock(12, 6, 17, 2)
    params, cache = layer.init(np.random.default_rng(0)), layer.empty_cache(2, 4, like=np.zeros(0))
    with pytest.raises(ShapeError, match="new keys are of 3 sequences and the cache is of 2"):
        layer.step(params, normal(3, 1, 12), cache)
    assert cache.length == 0


def test_a_full_cache():
    layer = DecoderBlock(12, 6, 17, 2)
    params, cache = layer.init(np.random.default_rng(0)), layer.empty_cache(2, 4, like=np.zeros(0))
    layer.step(params, normal(2, 3, 12), cache)
    with pytest.raises(LengthError, match="cache would hold 5 tokens, expected at most 4"):
        layer.step(params, normal(2, 2, 12), cache)


def test_a_cache_of_another_layer():
    cache = KeyValueCache.empty(2, 3, 4, 2, like=np.zeros(0))
    with pytest.raises(ShapeError, match=r"k has shape \(2, 2, 1, 2\), expected \(2, 3, T, 2\)"):
        cache.append(np.ones((2, 2, 1, 2)), np.ones((2, 2, 1, 2)))
    with pytest.raises(ShapeError, match=r"v has shape \(2, 3, 2, 2\), expected \(2, 3, 1, 2\)"):
        cache.append(np.ones((2, 3, 1, 2)), np.ones((2, 3, 2, 2)))
