"""The layers of encoder and decoder: where norm, residual and dropout stand; what may leak."""

from dataclasses import replace

import numpy as np
import pytest

from bigmodel_edu import catalogue, parity
from bigmodel_edu.errors import BookError, HyperparameterError, LengthError, ShapeError
from bigmodel_edu.layer import without_prefix
from bigmodel_edu.neural_nets.reference import LayerNorm
from bigmodel_edu.transformer.reference import (
    DecoderBlock,
    DecoderLayer,
    EncoderLayer,
    padding_mask,
)

D, HEADS, FF = 12, 3, 17
X = np.random.default_rng(1).normal(size=(2, 5, D))
MEMORY = np.random.default_rng(2).normal(size=(2, 7, D))


class DropsEverything:
    """A generator whose numbers are all below any rate of dropout; it notes what was drawn."""

    def __init__(self):
        self.shapes = []

    def random(self, shape, dtype):
        self.shapes.append(shape)
        return np.zeros(shape, dtype)


def forward(layer, *inputs, **mode):
    params = layer.init(np.random.default_rng(0))
    return layer.forward(params, *inputs, **mode)[0]


# Dropout, norms and residuals


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize(
    ("layer", "inputs", "sublayers"),
    [(EncoderLayer, (X,), 2), (DecoderLayer, (X, MEMORY), 3)],
)
def test_dropout_acts_on_the_output_of_each_sublayer_and_nowhere_else(
    layer, inputs, sublayers, norm_first
):
    """With all of it dropped only the residual path is left: x itself, or x normalised."""
    rng = DropsEverything()
    layer = layer(D, HEADS, FF, dropout=0.1, norm_first=norm_first)
    y = forward(layer, *inputs, training=True, rng=rng)
    assert rng.shapes == [X.shape] * sublayers
    expected = X
    for _ in range(0 if norm_first else sublayers):
        expected = forward(LayerNorm(D), expected)
    np.testing.assert_allclose(y, expected, rtol=1e-13)


@pytest.mark.parametrize("name", ["encoder_layer", "decoder_layer", "encoder_layer_pre_norm"])
def test_gradients_under_dropout(name):
    """The masks are the same in every run, so central differences see through them."""
    component = catalogue.component(f"transformer.{name}")
    kind = "EncoderLayer" if name.startswith("encoder") else "DecoderLayer"
    norm_first = name.endswith("pre_norm")
    component = replace(
        component,
        build=lambda m: getattr(m, kind)(D, HEADS, FF, dropout=0.3, norm_first=norm_first),
        inputs=lambda rng, batch: {
            key: rng.normal(size=(batch, length, D))
            for key, length in zip(("x", "memory")[: 1 + (kind[0] == "D")], (7, 11), strict=False)
        },
        mode=lambda inputs: {"training": True, "rng": np.random.default_rng(4)},
    )
    trial = component.draw(np.random.default_rng(0))
    parity.finite_differences(component, trial)
    backend = parity.reference_backend(component)
    dropped = component.run(backend, trial)["y"]
    assert np.abs(dropped - component.run(backend, replace(trial, mode=dict))["y"]).max() > 0.1


def test_dropout_needs_randomness_in_training_only():
    layer = EncoderLayer(D, HEADS, FF, dropout=0.1)
    forward(layer, X)
    forward(EncoderLayer(D, HEADS, FF), X, training=True)
    with pytest.raises(BookError, match="dropout in training needs randomness"):
        forward(layer, X, training=True)


def test_post_norm_outputs_are_normalised_and_pre_norm_outputs_are_not():
    post = forward(EncoderLayer(D, HEADS, FF), X)
    np.testing.assert_allclose(post.mean(axis=-1), 0, atol=1e-13)
    np.testing.assert_allclose(post.var(axis=-1), 1, rtol=1e-3)
    pre = forward(EncoderLayer(D, HEADS, FF, norm_first=True), X)
    assert np.abs(pre.mean(axis=-1)).max() > 0.05


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_what_pre_norm_attention_adds_does_not_depend_on_the_scale(scale):
    layer = DecoderBlock(D, HEADS, FF, eps=0.0)
    params = layer.init(np.random.default_rng(0))
    params["feed_forward.down_proj.weight"] *= 0
    added, scaled = (layer.forward(params, x)[0] - x for x in (X, scale * X))
    np.testing.assert_allclose(scaled, added, rtol=1e-8, atol=1e-10)


# What may leak


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (EncoderLayer(D, HEADS, FF, causal=True), (X,)),
        (DecoderLayer(D, HEADS, FF), (X, MEMORY)),
        (DecoderBlock(D, HEADS, FF, 1), (X,)),
    ],
)
def test_causality(layer, inputs):
    x, *others = inputs
    y = forward(layer, x, *others)
    later = x.copy()
    later[:, 3:] += 1
    changed = forward(layer, later, *others)
    np.testing.assert_array_equal(changed[:, :3], y[:, :3])
    assert np.abs(changed[:, 3:] - y[:, 3:]).max() > 1e-3


def test_padding_does_not_reach_the_others():
    mask = padding_mask(np.array([5, 3]), 5)
    layer = EncoderLayer(D, HEADS, FF)
    y = forward(layer, X, mask=mask)
    padded = X.copy()
    padded[1, 3:] = 100.0
    np.testing.assert_array_equal(forward(layer, padded, mask=mask)[1, :3], y[1, :3])
    alone = forward(layer, X[1:, :3])
    np.testing.assert_allclose(y[1:, :3], alone, rtol=1e-12)


def test_masked_memory_has_no_influence_and_no_gradient():
    layer = DecoderLayer(D, HEADS, FF)
    params = layer.init(np.random.default_rng(0))
    mask = padding_mask(np.array([7, 4]), 7)
    y, cache = layer.forward(params, X, MEMORY, memory_mask=mask)
    (_, d_memory), _ = layer.backward(params, cache, np.random.default_rng(3).normal(size=y.shape))
    assert not d_memory[1, 4:].any()
    assert np.abs(d_memory[1, :4]).min() > 0


# Bad input


@pytest.mark.parametrize("layer", [EncoderLayer, DecoderLayer, DecoderBlock])
def test_hyperparameters(layer):
    with pytest.raises(HyperparameterError, match="is 12 and num_heads is 5"):
        layer(12, 5, 17)
    with pytest.raises(HyperparameterError, match="d_ff is 0"):
        layer(12, 3, 0)


@pytest.mark.parametrize("layer", [EncoderLayer, DecoderLayer])
def test_dropout_is_a_probability(layer):
    with pytest.raises(HyperparameterError, match=r"p is 1\.0"):
        layer(12, 3, 17, dropout=1.0)
    with pytest.raises(HyperparameterError, match="activation is 'tanh'"):
        layer(12, 3, 17, activation="tanh")


def test_decoder_block_heads():
    with pytest.raises(HyperparameterError, match="num_heads is 6 and num_kv_heads is 4"):
        DecoderBlock(12, 6, 17, 4)
    with pytest.raises(HyperparameterError, match="head_dim is 3, expected an even number"):
        DecoderBlock(12, 4, 17)


def test_empty_and_all_padded_sequences():
    layer = EncoderLayer(D, HEADS, FF)
    with pytest.raises(ShapeError, match="x is empty"):
        forward(layer, X[:, :0])
    mask = np.array([[True] * 5, [False] * 5])[:, None, None]
    with pytest.raises(LengthError, match="query 0 of sequence 1"):
        forward(layer, X, mask=mask)


def test_parameters_have_the_prefixes_of_their_parts():
    params = DecoderBlock(D, HEADS, FF).init(np.random.default_rng(0))
    assert without_prefix("feed_forward", params).keys() == {
        "gate_proj.weight",
        "up_proj.weight",
        "down_proj.weight",
    }
    assert without_prefix("self_attn", params).keys() == {"in_proj_weight", "out_proj.weight"}
