import time

import numpy as np
import pytest

from bigmodel_edu.exercise import TOLERANCE
from bigmodel_edu.labs.differences import changed, compare, describe

A = np.arange(12.0).reshape(3, 4)


def sentence(answer, expected):
    difference = compare(answer, expected, TOLERANCE)
    return difference and difference.sentence


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (0.5, 0.5),
        (np.float64(0.5), 0.5),
        (np.array(0.5), 0.5),
        (0.5, np.array(0.5)),
        (0.5, np.float32(0.5)),
        (2, 2.0),
        (np.int32(3), 3),
        (np.array([1, 2], dtype=np.int32), np.array([1, 2])),
        (True, np.True_),
        ("adam", "adam"),
        (A + 1e-12, A),
        (A.astype("f4") * np.float32(1 + 1e-5), A.astype("f4")),
        (np.array([np.nan, np.inf]), np.array([np.nan, np.inf])),
        ([A, 1.0], (A, 1.0)),
        ({"w": A, "b": [1, 2]}, {"b": (1, 2), "w": A}),
        ((A, None), (A, None)),
        (np.array(["a", "b"]), np.array(["a", "b"])),
        ({1, 2}, {2, 1}),
        (np.zeros((0, 3)), np.zeros((0, 3))),
    ],
)
def test_equal(answer, expected):
    assert compare(answer, expected, TOLERANCE) is None


@pytest.mark.parametrize(
    ("answer", "expected", "says"),
    [
        (0.6, 0.5, "Your answer has the wrong value."),
        (True, 1, "dtype bool"),
        (1, True, "dtype int64"),
        (3.0, 3, "The values are right, but your answer has the dtype float64, where int64"),
        (np.float64(0.5), np.float32(0.5), "dtype float64, where float32 was expected"),
        (np.array([1, 2]), np.array([1.0, 2.0]), "dtype int64, where float64 was expected"),
        (np.array([0, 1]), np.array([0.3, 1.0]), "Your answer has the dtype int64, where float64"),
        (A.astype("f4"), A, "The values are right, but your answer has the dtype float32"),
        (A * (1 + 1e-8), A, "wrong values (11 of 12 elements)"),
        (A.T, A, "shape (4, 3), where (3, 4) was expected: it is the transpose"),
        (A[:, 0], A[:, :1], "the values are right, only the axes are not; is keepdims=True"),
        (A.ravel(), A, "the values are right, only the axes are not."),
        (A[0], A, "Your answer has the shape (4,), where (3, 4) was expected."),
        (np.array([0.5]), 0.5, "shape (1,), where a single number was expected"),
        (A * np.nan, A, "Your answer holds NaN where a finite number was expected (12 of 12"),
        (np.nan, 0.5, "Your answer is NaN where a finite number was expected."),
        (np.inf, 0.5, "Your answer is infinity where a finite"),
        (list(A[0]), A[0], "is a list [0, 1, 2, 3], where"),
        ([A, A], A, "Your answer is a list of 2, each float64 array of shape (3, 4), where"),
        (A, [A, A], "is a float64 array of shape (3, 4), where a list of 2"),
        ((A,), (A, A), "has 1 parts, where 2 were expected"),
        ((A, A + 1), (A, A), "Part [1] of your answer has wrong values"),
        ((A, ...), (A, A), "Part [1] of your answer is still `...`."),
        ({"w": A}, {"w": A, "b": A}, "Your answer lacks the key 'b'."),
        ({"w": A, "x": A}, {"w": A}, "has the unexpected key 'x'"),
        ({"w": (A, A + 1)}, {"w": (A, A)}, "Part ['w'][1] of your answer has wrong"),
        (A, {"w": A}, "where a dict with the keys 'w' was expected"),
        ("sgd", "adam", "Your answer is the string 'sgd', where the string 'adam' was expected."),
        (None, A, "Your answer is None, where a float64 array"),
        (A, None, "where None was expected"),
        ({1}, {2}, "Your answer is a set {1}, where a set {2} was expected"),
        (np.array(["a", "c"]), np.array(["a", "b"]), "wrong values (1 of 2 elements)"),
    ],
)
def test_different(answer, expected, says):
    assert says in sentence(answer, expected)


def test_the_worst_element_is_named_with_both_values():
    answer = A.copy()
    answer[1, 2], answer[2, 0] = 6.5, 100.0
    difference = compare(answer, A, TOLERANCE)
    assert difference.where == "[2, 0] yours 100, expected 8"
    assert difference.yours == difference.expected == "float64 array of shape (3, 4)"


def test_nan_is_worse_than_any_number():
    answer = A.copy()
    answer[0, 0], answer[1, 1] = 1e9, np.nan
    assert compare(answer, A, TOLERANCE).where == "[1, 1] yours nan, expected 5"


def test_close_values_are_shown_with_all_their_digits():
    where = compare(np.array([1.00000001]), np.array([1.0]), TOLERANCE).where
    assert where == "[0] yours 1.00000001, expected 1.0"


def test_whole_numbers_are_compared_exactly():
    big = np.array([2**60])
    assert compare(big + 1, big, TOLERANCE) is not None


def test_a_foreign_type_is_described_by_its_module():
    torch_like = type("Tensor", (), {"shape": (2, 3), "__module__": "torch.nn"})()
    assert "is a torch.Tensor of shape (2, 3), where" in sentence(torch_like, A)


@pytest.mark.parametrize(
    ("before", "after", "is_changed"),
    [
        (A, A.copy(), False),
        (A, A + 1e-16, True),
        (A, A.astype("f4"), True),
        (np.array([np.nan]), np.array([np.nan]), False),
        ([1, [A]], [1, [A.copy()]], False),
        ([1, 2], [2, 1], True),
        ([1, 2], [1, 2, 3], True),
        ({"w": A}, {"w": A + 1}, True),
        ({"w": A}, {"w": A, "v": A}, True),
        (float("nan"), float("nan"), False),
        (object(), object(), False),
    ],
)
def test_changed(before, after, is_changed):
    assert changed(before, after) is is_changed


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (A, "float64 array of shape (3, 4)"),
        (np.array([1, 2]), "int64 array [1, 2]"),
        (0.123456789, "0.123457 (float)"),
        (np.array(2), "2 (int64)"),
        ("x" * 99, f"the string '{'x' * 58}…"),
        ((A, 1), "tuple of float64 array of shape (3, 4), 1 (int)"),
        ((1, 2), "tuple [1, 2]"),
        ([], "empty list"),
        (abs, "the function abs"),
        (None, "None"),
        (..., "`...`"),
        (np.random.default_rng(), "numpy.Generator"),
    ],
)
def test_describe(value, words):
    assert describe(value) == words


def test_what_is_nested_deeply_is_described_in_a_moment():
    value, started = "x", time.process_time()
    for _ in range(14):
        value = [value, value]
    assert describe(value)
    assert time.process_time() - started < 5  # describing every part twice would take hours


def test_an_integer_too_long_for_a_float_is_a_wrong_value():
    assert compare(10**400, 1.0, 1e-9).sentence == "Your answer has the wrong value."
