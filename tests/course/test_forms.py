"""Which answers stand for which, and which do not."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bigmodel_edu.course.forms import in_form, is_single
from bigmodel_edu.labs.differences import compare

ARRAY = np.array([[1.0, 2.0], [3.0, 4.0]])
TOLERANCE = 1e-9


def equal(answer, expected) -> bool:
    return compare(in_form(answer, expected), expected, TOLERANCE) is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ARRAY.tolist(), ARRAY),
        (tuple(ARRAY), ARRAY),
        ([list(row) for row in ARRAY], ARRAY),
        (ARRAY.astype(int), ARRAY),
        (ARRAY.astype(np.float32), ARRAY),
        (ARRAY.astype(np.longdouble), ARRAY),
        (ARRAY, ARRAY.astype(np.float32)),
        (ARRAY.astype(">f8"), ARRAY),
        (ARRAY, ARRAY.astype(complex)),
        (ARRAY, ARRAY.astype(int)),
        (3, 3.0),
        (np.array(3), 3.0),
        (np.float32(3), 3.0),
        (3.0, 3),
        (np.array(3.0), 3),
        (np.uint8(3), 3),
        ([ARRAY, 1], (ARRAY, 1.0)),
        (np.array([1.0, 2.0]), (1, 2)),
        (np.stack([ARRAY, ARRAY]), (ARRAY, ARRAY)),
        ((1, None), (1, None)),
        ({"a": [1.0, 2.0]}, {"a": np.array([1.0, 2.0])}),
        ([], np.zeros(0)),
        ([[], []], np.zeros((2, 0))),
        ([1, 2.5], np.array([1.0, 2.5])),
        (np.array([np.inf, np.nan]), np.array([np.inf, np.nan], np.float32)),
        (2**53 + 1, float(2**53)),
        (10.0**15, 10**15),
        (np.asfortranarray(ARRAY)[::-1], ARRAY[::-1]),
        (["a", "b"], ("a", "b")),
    ],
)
def test_it_stands_for_it(answer, expected):
    assert equal(answer, expected)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (1.0, np.ones(3)),
        (np.ones((1, 1)), np.ones((3, 3))),
        (np.ones(1), 1.0),
        ([1.0], 1.0),
        (ARRAY.T, ARRAY),
        (ARRAY.ravel(), ARRAY),
        (np.array([True, False]), np.array([1, 0])),
        (np.array([1, 0]), np.array([True, False])),
        (True, 1.0),
        (2.5, 2),
        (float("nan"), 2),
        (np.array([2.5]), np.array([2])),
        (ARRAY + 0j + 1j, ARRAY),
        (1 + 0j, 1.0),
        ("1.0", 1.0),
        ([[1.0], [1.0, 2.0]], ARRAY),
        (["1.0", "2.0"], np.array([1.0, 2.0])),
        ([None, 1], np.array([0.0, 1.0])),
        (None, ARRAY),
        ({}, {"a": 1}),
        ((1, 2, 3), (1, 2)),
        (2**60 + 1.0, 2**60 + 1),
        (ARRAY.astype(np.float16) + np.float16(0.001), ARRAY),
        (np.array([1e39]), np.array([np.inf], np.float32)),
        (1e200 + 1e200j, np.complex64(complex(np.inf, np.inf))),
        ([10**400, 1.0], np.array([np.inf, 1.0])),
        (np.array([1.0, None]), np.array([1.0, np.nan])),
        ([np.ones(2), np.ones(3)], np.ones((2, 2))),
        ([[1.0, 2.0], 3.0], np.ones((2, 2))),
        ([True, False], np.array([1, 0])),
        (float("inf"), 2**62),
        (np.array([np.nan]), np.array([0])),
        (np.array(["1"]), np.array([1.0])),
        ("ab", ["a", "b"]),
        ({"a": 1.0, "b": 2.0}, {"a": 1.0}),
        ({0: 1.0}, (1.0,)),
    ],
)
def test_it_does_not_stand_for_it(answer, expected):
    assert not equal(answer, expected)


def test_an_integer_that_no_float_holds_stays_as_it_is():
    assert in_form(10**400, 1.0) == 10**400
    assert in_form([10**400, 1.0], np.ones(2)) == [10**400, 1.0]


@pytest.mark.parametrize(
    ("answer", "single"),
    [
        (ARRAY.astype(np.float32), True),
        (np.float32(1), True),
        (np.complex64(1), True),
        ((1, [ARRAY.astype(np.float32)]), True),
        ({"a": ARRAY.astype(np.float32)}, True),
        (ARRAY, False),
        (ARRAY.astype(np.float16), False),
        ([1.0, "float32"], False),
        (None, False),
    ],
)
def test_which_answers_are_exact_to_seven_digits_only(answer, single):
    assert is_single(answer) == single


def test_nothing_is_made_of_an_answer_that_has_another_shape():
    """A list of large arrays would be copied into one; an empty one may be as long as you like."""
    large = np.zeros(1_000_000)
    for answer in ([large] * 1000, [["x" * 1_000_000] * 1000]):
        tracemalloc.start()
        in_form(answer, ARRAY)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1_000_000
    endless = np.zeros((2**40, 0))
    assert in_form(endless, (1, 2)) is endless


numbers = arrays.arrays(
    st.sampled_from(["?", "i1", "i8", "u8", "f2", "f4", "f8", "c8", "c16"]),
    arrays.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3),
)
anything = st.recursive(
    numbers | st.none() | st.integers() | st.floats() | st.text(max_size=3) | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=8,
)


@given(anything, anything)
def test_any_answer_to_anything_is_returned_in_some_form(answer, expected):
    with np.errstate(all="ignore"):
        in_form(answer, expected)


@given(st.data())
def test_neither_shape_nor_values_change(data):
    shape = data.draw(arrays.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3))
    answer, expected = (
        data.draw(arrays.arrays(st.sampled_from(["?", "i4", "u4", "f2", "f4", "f8"]), shape))
        for _ in range(2)
    )
    formed = in_form(answer, expected)
    assert formed.shape == answer.shape
    assert (formed.dtype.kind == "b") == (answer.dtype.kind == "b")
    if formed.dtype.itemsize >= 8 or formed.dtype == answer.dtype:
        np.testing.assert_array_equal(formed, answer)
    assert np.array_equal(np.isfinite(formed), np.isfinite(answer))
    listed = in_form(answer.tolist(), expected) if shape else formed
    if isinstance(listed, np.ndarray) and 0 not in shape:
        assert listed.shape == answer.shape


@given(numbers)
def test_an_answer_in_the_right_form_stays_as_it_is(answer):
    formed = in_form(answer, answer)
    np.testing.assert_array_equal(formed, answer)
    assert formed.dtype == answer.dtype
