"""Sequences: padding, directions, layers, states that are carried on, and bad input."""

import numpy as np
import pytest

from bigmodel_edu.errors import BookError, DTypeError, HyperparameterError, LengthError, ShapeError
from bigmodel_edu.lstm.reference import GRU, LSTM, RNN
from bigmodel_edu.neural_nets.reference import Dropout

KINDS = [RNN, LSTM, GRU]
LENGTHS = np.array([11, 1, 4, 7, 2])


def drawn(kind, seed=0, **options):
    """Return a layer, its parameters and inputs (5, 11, 7)."""
    layer, rng = kind(7, 3, **options), np.random.default_rng(seed)
    return layer, layer.init(rng), rng.normal(size=(5, 11, 7))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("both", [False, True])
def test_a_padded_sequence_gives_what_it_gives_alone(kind, both):
    layer, params, x = drawn(kind, num_layers=2, bidirectional=both)
    (y, *finals), _ = layer.forward(params, x, lengths=LENGTHS)
    for row, length in enumerate(LENGTHS):
        (own, *own_finals), _ = layer.forward(params, x[row : row + 1, :length])
        np.testing.assert_allclose(y[row, :length], own[0], rtol=0, atol=1e-15)
        assert not y[row, length:].any()
        for final, own_final in zip(finals, own_finals, strict=True):
            np.testing.assert_allclose(final[:, row], own_final[:, 0], rtol=0, atol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_in_the_padding_does_not_matter(kind):
    layer, params, x = drawn(kind, bidirectional=True)
    padded = np.where(np.arange(11)[:, None] < LENGTHS[:, None, None], x, np.nan)
    (y, *finals), cache = layer.forward(params, x, lengths=LENGTHS)
    (z, *others), _ = layer.forward(params, padded, lengths=LENGTHS)
    np.testing.assert_array_equal(y, z)
    for final, other in zip(finals, others, strict=True):
        np.testing.assert_array_equal(final, other)
    (dx, *_), _ = layer.backward(params, cache, (y, *finals))
    assert not dx[np.arange(11) >= LENGTHS[:, None]].any()


@pytest.mark.parametrize("kind", KINDS)
def test_full_lengths_are_no_lengths(kind):
    layer, params, x = drawn(kind, bidirectional=True)
    outputs, _ = layer.forward(params, x)
    again, _ = layer.forward(params, x, lengths=np.full(5, 11))
    for one, other in zip(outputs, again, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_the_backward_direction_reads_the_reversed_sequence(kind):
    layer, params, x = drawn(kind, bidirectional=True)
    (y, *_), _ = layer.forward(params, x)
    alone = {k.removesuffix("_reverse"): v for k, v in params.items() if k.endswith("_reverse")}
    (reversed_y, *_), _ = kind(7, 3).forward(alone, x[:, ::-1])
    np.testing.assert_allclose(y[..., 3:], reversed_y[:, ::-1], rtol=0, atol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_in_pieces_gives_what_it_gives_whole(kind):
    layer, params, x = drawn(kind, num_layers=2)
    whole, _ = layer.forward(params, x)
    first, _ = layer.forward(params, x[:, :4])
    second, _ = layer.forward(params, x[:, 4:], *first[1:])
    np.testing.assert_allclose(np.concatenate((first[0], second[0]), axis=1), whole[0], atol=1e-15)
    for final, expected in zip(second[1:], whole[1:], strict=True):
        np.testing.assert_allclose(final, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_output_is_the_final_state(kind):
    layer, params, x = drawn(kind, num_layers=2)
    (y, h_n, *_), _ = layer.forward(params, x)
    np.testing.assert_array_equal(y[:, -1], h_n[-1])


def test_dropout_acts_between_the_layers_and_nowhere_else():
    layer, params, x = drawn(LSTM, num_layers=2, dropout=0.4)
    (y, *_), _ = layer.forward(params, x, training=True, rng=np.random.default_rng(3))
    single = LSTM(7, 3), LSTM(3, 3)
    own = [
        {f"{k.partition('_l')[0]}_l0": v for k, v in params.items() if k.endswith(f"_l{layer}")}
        for layer in (0, 1)
    ]
    (below, *_), _ = single[0].forward(own[0], x)
    time_major = below.swapaxes(0, 1).copy()
    dropped, _ = Dropout(0.4).forward({}, time_major, training=True, rng=np.random.default_rng(3))
    (expected, *_), _ = single[1].forward(own[1], dropped.swapaxes(0, 1))
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-15)
    (untrained, *_), _ = layer.forward(params, x)
    assert np.abs(untrained - y).max() > 1e-3


def test_gradients_flow_through_the_dropout_that_was_drawn():
    layer, params, x = drawn(GRU, num_layers=2, dropout=0.4)
    direction = np.random.default_rng(1).normal(size=x.shape)
    upstream = np.random.default_rng(2).normal(size=(5, 11, 3))

    def loss(step):
        mode = {"training": True, "rng": np.random.default_rng(3)}
        (y, h_n), cache = layer.forward(params, x + step * direction, **mode)
        return (upstream * y).sum(), cache, h_n

    _, cache, h_n = loss(0)
    (dx, _), _ = layer.backward(params, cache, (upstream, np.zeros_like(h_n)))
    slope = (loss(1e-5)[0] - loss(-1e-5)[0]) / 2e-5
    assert (dx * direction).sum() == pytest.approx(slope, rel=1e-7)


def test_float32_stays_float32():
    layer, params, x = drawn(LSTM, num_layers=2, bidirectional=True)
    params = {name: value.astype(np.float32) for name, value in params.items()}
    outputs, cache = layer.forward(params, x.astype(np.float32), lengths=LENGTHS)
    d_inputs, grads = layer.backward(params, cache, outputs)
    assert {a.dtype for a in (*outputs, *d_inputs, *grads.values())} == {np.dtype(np.float32)}


def test_a_nan_stays_in_its_own_sequence():
    layer, params, x = drawn(LSTM)
    x[2, 3, 0] = np.nan
    (y, *_), _ = layer.forward(params, x)
    assert np.isnan(y[2, 3:]).all()
    assert np.isfinite(np.delete(y, 2, axis=0)).all()


# Bad input


@pytest.mark.parametrize(
    ("lengths", "error", "sentence"),
    [
        ([11, 0, 3, 1, 1], LengthError, r"lengths\[1\] is 0, expected a length from 1 to 11"),
        ([11, 12, 3, 1, 1], LengthError, r"lengths\[1\] is 12, expected a length from 1 to 11"),
        ([11, 3], ShapeError, r"lengths has shape \(2,\), expected \(5,\)"),
        ([1.0, 2.0, 3.0, 4.0, 5.0], DTypeError, "expected integer lengths of sequences"),
    ],
)
def test_lengths_that_cannot_be(lengths, error, sentence):
    layer, params, x = drawn(LSTM)
    with pytest.raises(error, match=sentence):
        layer.forward(params, x, lengths=np.array(lengths))


@pytest.mark.parametrize("shape", [(5, 0, 7), (0, 11, 7)])
def test_an_empty_sequence_is_refused(shape):
    layer, params, _ = drawn(LSTM)
    with pytest.raises(ShapeError, match="x is empty"):
        layer.forward(params, np.ones(shape))


@pytest.mark.parametrize("shape", [(5, 11, 6), (5, 7), (11, 7)])
def test_an_input_of_another_shape_is_refused(shape):
    layer, params, _ = drawn(LSTM)
    with pytest.raises(ShapeError, match=r"x has shape .*, expected \(B, T, 7\)"):
        layer.forward(params, np.ones(shape))


@pytest.mark.parametrize("shape", [(1, 4, 3), (2, 5, 3), (5, 3)])
def test_a_state_of_another_batch_or_of_other_layers_is_refused(shape):
    layer, params, x = drawn(LSTM)
    right = np.ones((1, 5, 3))
    with pytest.raises(ShapeError, match=r"c_0 has shape .*, expected \(1, 5, 3\)"):
        layer.forward(params, x, right, np.ones(shape))


def test_one_state_where_two_are_wanted():
    layer, params, x = drawn(LSTM)
    with pytest.raises(ShapeError, match="was given 1 initial state, expected h_0, c_0 or none"):
        layer.forward(params, x, np.ones((1, 5, 3)))


def test_dropout_wants_randomness_and_a_probability():
    layer, params, x = drawn(LSTM, num_layers=2, dropout=0.4)
    with pytest.raises(BookError, match="dropout in training needs randomness"):
        layer.forward(params, x, training=True)
    with pytest.raises(HyperparameterError, match=r"p is 1\.5, expected a probability"):
        LSTM(7, 3, dropout=1.5)
