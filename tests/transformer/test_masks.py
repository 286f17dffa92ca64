"""Masks: who may look at whom, and what is refused."""

import numpy as np
import pytest

from bigmodel_edu.errors import DTypeError, LengthError, ShapeError
from bigmodel_edu.transformer.reference import (
    ScaledDotProductAttention,
    causal_mask,
    combine,
    expect_mask,
    padding_mask,
)


def test_a_causal_mask_is_a_lower_triangle():
    np.testing.assert_array_equal(causal_mask(3), [[1, 0, 0], [1, 1, 0], [1, 1, 1]])


def test_queries_of_a_cached_step_are_the_last_ones():
    np.testing.assert_array_equal(causal_mask(1, 4), [[1, 1, 1, 1]])
    np.testing.assert_array_equal(causal_mask(2, 4), [[1, 1, 1, 0], [1, 1, 1, 1]])


def test_a_step_is_the_last_rows_of_the_whole():
    for n_queries in range(1, 6):
        np.testing.assert_array_equal(causal_mask(n_queries, 5), causal_mask(5)[-n_queries:])


def test_the_offset_may_be_given():
    np.testing.assert_array_equal(causal_mask(2, 4, offset=0), [[1, 0, 0, 0], [1, 1, 0, 0]])


def test_a_padding_mask_is_true_before_the_padding():
    mask = padding_mask(np.array([2, 3, 1]), 3)
    assert mask.shape == (3, 1, 1, 3)
    np.testing.assert_array_equal(mask[:, 0, 0], [[1, 1, 0], [1, 1, 1], [1, 0, 0]])


@pytest.mark.parametrize(("length", "wrong"), [(0, "is 0"), (4, "is 4")])
def test_lengths_are_from_one_to_the_longest(length, wrong):
    with pytest.raises(LengthError, match=rf"lengths\[1\] {wrong}, expected a length from 1 to 3"):
        padding_mask(np.array([2, length]), 3)


def test_combined_masks_allow_what_all_allow():
    both = combine(causal_mask(3), None, padding_mask(np.array([2, 3]), 3))
    assert both.shape == (2, 1, 3, 3)
    np.testing.assert_array_equal(both[0, 0], [[1, 0, 0], [1, 1, 0], [1, 1, 0]])
    np.testing.assert_array_equal(both[1, 0], causal_mask(3))
    assert combine(None, None) is None


def test_only_boolean_masks_combine():
    with pytest.raises(DTypeError, match="a mask to combine is of type float64, expected booleans"):
        combine(causal_mask(3), np.zeros((3, 3)))


@pytest.mark.parametrize("shape", [(), (7,), (3, 7), (1, 7), (2, 3, 7), (5, 1, 1, 7), (5, 2, 3, 7)])
def test_masks_that_broadcast_fit(shape):
    expect_mask(np.ones(shape, bool), 5, 2, 3, 7)


@pytest.mark.parametrize("shape", [(3,), (7, 3), (5, 7), (5, 3, 7), (1, 5, 2, 3, 7), (5, 2, 3, 0)])
def test_masks_of_another_shape(shape):
    with pytest.raises(ShapeError, match=r"mask has shape .*broadcasts to .* = \(5, 2, 3, 7\)"):
        expect_mask(np.ones(shape, bool), 5, 2, 3, 7)


@pytest.mark.parametrize("dtype", [int, np.uint8, object])
def test_masks_of_another_dtype(dtype):
    with pytest.raises(DTypeError, match=r"mask is of type .*, expected booleans .* mask == 1"):
        expect_mask(np.ones((3, 7), dtype), 5, 2, 3, 7)


def test_a_list_is_no_mask():
    with pytest.raises(DTypeError, match="mask is of type list"):
        expect_mask([[True]], 5, 2, 3, 7)


@pytest.mark.parametrize("as_floats", [False, True])
def test_a_fully_masked_row_is_named(as_floats):
    rng = np.random.default_rng(0)
    q, k = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(2, 3, 7, 5))
    mask = np.ones((2, 3, 4, 7), bool)
    mask[1, 2, 3] = False
    if as_floats:
        mask = np.where(mask, 0.0, -np.inf)
    with pytest.raises(LengthError, match=r"query 3 of sequence 1 \(head 2\) look at no key"):
        ScaledDotProductAttention().forward({}, q, k, k, mask=mask)


def test_an_all_padded_sequence_is_a_fully_masked_row():
    q = np.ones((2, 1, 3, 4))
    mask = np.array([[True, True, False], [False, False, False]])[:, None, None]
    with pytest.raises(LengthError, match="query 0 of sequence 1"):
        ScaledDotProductAttention().forward({}, q, q, q, mask=mask)


def test_more_causal_queries_than_keys_leave_some_without_a_key():
    q, k = np.ones((1, 1, 3, 4)), np.ones((1, 1, 2, 4))
    with pytest.raises(LengthError, match="query 0 of sequence 0"):
        ScaledDotProductAttention(causal=True).forward({}, q, k, k)
