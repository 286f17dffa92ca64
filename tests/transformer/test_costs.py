"""Costs, against products counted one by one and arrays measured."""

import numpy as np
import pytest

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.transformer.reference import (
    DecoderBlock,
    EncoderLayer,
    KeyValueCache,
    ScaledDotProductAttention,
    attention_bytes,
    attention_flops,
    causal_mask,
    kv_cache_bytes,
    layer_flops,
    layer_parameters,
    lstm_flops,
    matmul_flops,
)


class Counting(np.ndarray):
    """An array that counts the FLOPs of every product of matrices it takes part in."""

    flops = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        plain = [np.asarray(x) for x in inputs]
        if ufunc is np.matmul:
            a, b = plain
            batch = np.prod(np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), dtype=int)
            Counting.flops += int(2 * batch * a.shape[-2] * a.shape[-1] * b.shape[-1])
        if out is not None:
            options["out"] = tuple(np.asarray(x) for x in out)
        result = getattr(ufunc, method)(*plain, **options)
        if out is not None:
            return out[0]
        return result.view(Counting) if isinstance(result, np.ndarray) else result

    def __array_function__(self, function, types, args, options):
        result = super().__array_function__(function, types, args, options)
        return result.view(Counting) if isinstance(result, np.ndarray) else result


def counted(layer, *inputs):
    """Return the FLOPs of the products of forward, and of backward."""
    params = {k: v.view(Counting) for k, v in layer.init(np.random.default_rng(0)).items()}
    Counting.flops = 0
    y, cache = layer.forward(params, *(x.view(Counting) for x in inputs))
    forward, Counting.flops = Counting.flops, 0
    layer.backward(params, cache, y)
    return forward, Counting.flops


def test_a_product_by_hand():
    assert matmul_flops(2, 3, 5) == 2 * 2 * 3 * 5


def test_attention_as_counted():
    q, k = np.ones((2, 6, 5, 4)), np.ones((2, 6, 7, 4))
    forward, backward = counted(ScaledDotProductAttention(), q, k, k)
    assert forward == attention_flops(2, 6, 5, 7, 4)
    assert backward == 2 * forward


def test_causal_attention_counts_the_pairs_that_may_look():
    for n_queries, n_keys in ((5, 5), (1, 7), (3, 7)):
        pairs = int(causal_mask(n_queries, n_keys).sum())
        expected = pairs * attention_flops(2, 3, 1, 1, 4)
        assert attention_flops(2, 3, n_queries, n_keys, 4, causal=True) == expected


def test_an_encoder_layer_as_counted():
    forward, backward = counted(EncoderLayer(12, 3, 17), np.ones((2, 7, 12)))
    assert forward == layer_flops(2, 7, 12, 17, 3)
    assert backward == 2 * forward


def test_a_decoder_block_as_counted():
    forward, _ = counted(DecoderBlock(12, 6, 17, 2), np.ones((2, 7, 12)))
    assert forward == layer_flops(2, 7, 12, 17, 6, 2, feed_forward_matrices=3)


@pytest.mark.parametrize("kv_heads", [None, 3, 1])
def test_parameters_as_they_are(kv_heads):
    params = DecoderBlock(12, 6, 17, kv_heads).init(np.random.default_rng(0))
    matrices = sum(value.size for value in params.values() if value.ndim == 2)
    assert layer_parameters(12, 17, 6, kv_heads, feed_forward_matrices=3) == matrices


def test_bytes_of_the_weights_and_of_the_cache_as_they_are():
    q = np.ones((2, 3, 5, 4), np.float32)
    weights = ScaledDotProductAttention().weights(q, np.ones((2, 3, 7, 4), np.float32))
    assert attention_bytes(2, 3, 5, 7) == weights.nbytes
    cache = KeyValueCache.empty(2, 3, 11, 4, like=q)
    held = cache.keys.nbytes + cache.values.nbytes
    assert kv_cache_bytes(2, 11, 1, 3, 4, bytes_per_number=4) == held


def test_the_cache_of_a_model_of_seven_billion():
    """32 layers of 32 heads of 128, 4096 tokens in 16 bits: 2 GiB for each sequence."""
    assert kv_cache_bytes(1, 4096, 32, 32, 128) == 2 * 2**30


def test_attention_overtakes_the_rest_of_a_layer_with_the_length():
    def share(length):
        whole = layer_flops(1, length, 64, 256, 4)
        return attention_flops(1, 4, length, length, 16) / whole

    assert share(16) < 0.1
    assert share(6 * 64) == 0.5  # 24 T D² against 4 T² D
    assert share(4096) > 0.9


def test_an_lstm_by_hand():
    assert lstm_flops(1, 10, 3, 5) == 10 * 2 * (4 * 5) * (3 + 5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: attention_flops(1, 1, 0, 1, 1), "n_queries is 0"),
        (lambda: layer_flops(1, 1, 12, 17, 5), "d_model is 12 and num_heads is 5"),
        (lambda: layer_parameters(12, 17, 6, 4), "num_heads is 6 and num_kv_heads is 4"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(HyperparameterError, match=message):
        call()
