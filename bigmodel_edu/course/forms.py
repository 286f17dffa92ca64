"""The form of an answer that costs nobody a point: a list for an array, float32 for float64."""

from typing import Any

import numpy as np


def in_form(answer: Any, expected: Any) -> Any:
    """Return `answer` in the form of `expected` where it holds the same kind of numbers.

    A list or tuple may stand for an array and the other way round, an integer for a float, a float
    of one length for one of another, a whole float for an integer. Values and shapes stay as they
    are, but for the rounding of a shorter float, and whatever fits nowhere is returned as it is.
    """
    if isinstance(expected, dict) and isinstance(answer, dict):
        return {k: in_form(v, expected[k]) if k in expected else v for k, v in answer.items()}
    if isinstance(expected, (tuple, list)):
        return _in_form_of_sequence(answer, expected)
    if isinstance(expected, np.ndarray) and isinstance(answer, (tuple, list)):
        answer = _as_array(answer) if _shape(answer) == expected.shape else answer
    if not (_is_number(answer) and _is_number(expected)):
        return answer
    return _in_form_of_number(answer, np.asarray(expected))


def is_single(answer: Any) -> bool:
    """Whether a part of an answer is float32 or complex64, and so exact to 7 digits only."""
    if isinstance(answer, dict):
        answer = list(answer.values())
    if isinstance(answer, (tuple, list)):
        return any(map(is_single, answer))
    return isinstance(answer, (np.ndarray, np.generic)) and answer.dtype in (
        np.float32,
        np.complex64,
    )


def _in_form_of_sequence(answer: Any, expected: tuple | list) -> Any:
    is_sequence = isinstance(answer, (tuple, list)) or (
        isinstance(answer, np.ndarray) and answer.ndim > 0
    )
    if not is_sequence or len(answer) != len(expected):
        return answer
    return type(expected)(in_form(a, e) for a, e in zip(answer, expected, strict=True))


def _shape(answer: Any) -> tuple[int, ...]:
    """The shape that nested lists would have as an array, going by the first of each."""
    if isinstance(answer, np.ndarray):
        return answer.shape
    if isinstance(answer, (tuple, list)):
        return (len(answer), *(_shape(answer[0]) if answer else ()))
    return ()


def _as_array(answer: tuple | list) -> Any:
    try:
        array = np.asarray(answer)
    except (ValueError, OverflowError):
        return answer  # its rows have different lengths
    return array if array.dtype.kind in "biufc" else answer


@np.errstate(over="ignore")
def _in_form_of_number(answer: Any, expected: np.ndarray) -> Any:
    array = np.asarray(answer)
    kinds = array.dtype.kind, expected.dtype.kind
    if kinds[0] in "iufc" and kinds[1] in "fc" and kinds != ("c", "f"):
        formed = array.astype(expected.dtype)
        return formed if (np.isfinite(formed) == np.isfinite(array)).all() else answer
    if kinds in {("f", "i"), ("f", "u")} and (array == np.round(array)).all():
        return array.astype(np.int64) if (np.abs(array) < 2**53).all() else answer
    return answer


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, complex, np.ndarray, np.generic))
