"""How a reader's answer differs from the reference's, in words."""

from dataclasses import dataclass
from typing import Any

import numpy as np

SMALL = 6  # arrays of at most this many elements are shown with their values


@dataclass(frozen=True)
class Difference:
    """Where an answer departs from the expected one.

    `sentence` says it in words; `yours` and `expected` describe both; `where` names the element
    or part with both values, "" when there is none to name.
    """

    sentence: str
    yours: str
    expected: str
    where: str = ""


def compare(
    answer: Any, expected: Any, tolerance: float, part: str = "", names: tuple[str, ...] = ()
) -> Difference | None:
    """Return None when `answer` equals `expected`, else the first difference.

    Compares numbers, arrays, strings, None, and tuples, lists and dicts of them. A Python
    number, a NumPy scalar and a 0-d array are the same thing; a list may stand for a tuple.
    `part` is the path to these values inside a larger answer, for the sentence; `names` are
    what the parts of a tuple are called there.
    """
    if answer is ... and expected is not ...:
        return _difference(f"{_subject(part)} is still `...`.", answer, expected)
    if expected is None or isinstance(expected, str):
        same = type(answer) is type(expected) or isinstance(answer, str)
        return None if same and answer == expected else _plain(answer, expected, part)
    if isinstance(expected, dict):
        return _compare_dicts(answer, expected, tolerance, part)
    if isinstance(expected, (tuple, list)):
        return _compare_sequences(answer, expected, tolerance, part, names)
    if _is_numeric(expected):
        return _compare_arrays(answer, expected, tolerance, part)
    return None if _equal(answer, expected) else _plain(answer, expected, part)


def changed(before: Any, after: Any) -> bool:
    """Whether arrays, numbers or strings, alone or in containers, differ by even one bit.

    Other objects count as unchanged: a random generator moves on when it is used.
    """
    if type(before) is not type(after):
        return True
    if isinstance(before, np.ndarray):
        if before.shape != after.shape or before.dtype != after.dtype:
            return True
        if before.dtype == object:
            return any(map(changed, before.ravel(), after.ravel()))
        return not np.array_equal(before, after, equal_nan=before.dtype.kind in "fc")
    if isinstance(before, (tuple, list)):
        return len(before) != len(after) or any(map(changed, before, after))
    if isinstance(before, dict):
        return list(before) != list(after) or any(map(changed, before.values(), after.values()))
    if isinstance(before, (bool, int, float, complex, str, bytes, np.generic)):
        return before != after and before == before  # NaN is itself
    return False


def describe(value: Any) -> str:
    """Type, dtype and shape in a few words, with the value itself when it is small.

    >>> describe(np.zeros((5, 7)))
    'float64 array of shape (5, 7)'
    >>> describe(np.array([1, 2]))
    'int64 array [1, 2]'
    """
    if value is None:
        return "None"
    if value is ...:
        return "`...`"
    if isinstance(value, str):
        return f"the string {_shortened(repr(value))}"
    if isinstance(value, np.ndarray) and value.ndim:
        return _describe_array(value)
    if _is_numeric(value):
        value = value[()] if isinstance(value, np.ndarray) else value
        return f"{_number(value)} ({type(value).__name__})"
    if isinstance(value, dict):
        keys = ", ".join(map(repr, value))
        return f"dict with the keys {_shortened(keys)}" if value else "empty dict"
    if isinstance(value, (tuple, list)):
        return _describe_sequence(value)
    if isinstance(value, (set, frozenset)):
        return f"{type(value).__name__} {_shortened(repr(value))}"
    if callable(value):
        return f"the function {getattr(value, '__name__', type(value).__name__)}"
    shape = getattr(value, "shape", None)
    kind = f"{type(value).__module__.partition('.')[0]}.{type(value).__qualname__}"
    return kind.removeprefix("builtins.") + (f" of shape {tuple(shape)}" if shape else "")


def _compare_dicts(answer: Any, expected: dict, tolerance: float, part: str) -> Difference | None:
    if not isinstance(answer, dict):
        return _plain(answer, expected, part)
    missing, extra = expected.keys() - answer.keys(), answer.keys() - expected.keys()
    if missing or extra:
        faults = [
            f"{word} {', '.join(sorted(map(repr, keys)))}"
            for word, keys in (("lacks the key", missing), ("has the unexpected key", extra))
            if keys
        ]
        return _difference(f"{_subject(part)} {' and '.join(faults)}.", answer, expected)
    return _first(
        compare(answer[key], expected[key], tolerance, f"{part}[{key!r}]") for key in expected
    )


def _compare_sequences(
    answer: Any, expected: tuple | list, tolerance: float, part: str, names: tuple[str, ...]
) -> Difference | None:
    if not isinstance(answer, (tuple, list)):
        return _plain(answer, expected, part)
    if len(answer) != len(expected):
        wanted = f"{len(expected)} were expected" + f" ({', '.join(names)})" * bool(names)
        sentence = f"{_subject(part)} has {len(answer)} parts, where {wanted}."
        return _difference(sentence, answer, expected)
    paths = names or tuple(f"{part}[{i}]" for i in range(len(expected)))
    return _first(
        compare(a, e, tolerance, path) for a, e, path in zip(answer, expected, paths, strict=True)
    )


def _compare_arrays(answer: Any, expected: Any, tolerance: float, part: str) -> Difference | None:
    if not _is_numeric(answer):
        return _plain(answer, expected, part)
    yours, wanted = np.asarray(answer), np.asarray(expected)
    if yours.shape != wanted.shape:
        sentence = (
            f"{_subject(part)} has the shape {yours.shape}, where "
            f"{wanted.shape or 'a single number'} was expected"
            f"{_shape_advice(yours, wanted, tolerance)}."
        )
        return _difference(sentence, answer, expected)
    wrong = _wrong_elements(yours, wanted, tolerance)
    if not _same_kind(answer, expected):
        so_far = "the values are right, but " if not wrong.any() else ""
        sentence = f"{so_far}{_subject(part).lower()} has the dtype {yours.dtype}, where "
        sentence = f"{sentence}{wanted.dtype} was expected."
        return _difference(sentence[0].upper() + sentence[1:], answer, expected)
    if not wrong.any():
        return None
    return Difference(
        _value_sentence(yours, wanted, wrong, part),
        describe(answer),
        describe(expected),
        _worst(yours, wanted, wrong),
    )


def _wrong_elements(yours: np.ndarray, wanted: np.ndarray, tolerance: float) -> np.ndarray:
    """Boolean array, True where `yours` is not `wanted`; both have the same shape."""
    if yours.dtype.kind not in "fc" and wanted.dtype.kind not in "fc":
        return np.asarray(yours != wanted)
    if {yours.dtype.kind, wanted.dtype.kind} - set("biufc"):
        return np.ones(wanted.shape, dtype=bool)
    for dtype in (yours.dtype, wanted.dtype):
        if dtype.kind in "fc":
            tolerance = max(tolerance, 1000 * float(np.finfo(dtype).eps))
    return ~np.isclose(yours, wanted, rtol=tolerance, atol=tolerance, equal_nan=True)


def _same_kind(answer: Any, expected: Any) -> bool:
    """Whether the dtypes agree: exactly for floats, by kind for whole numbers.

    A Python number has no precision of its own, and a whole one may stand for a float.
    """
    yours, wanted = np.asarray(answer).dtype, np.asarray(expected).dtype
    if isinstance(answer, (bool, int, float, complex)) and not isinstance(answer, np.generic):
        order = "biufc"
        weaker = wanted.kind != "b" and yours.kind != "b"
        return yours.kind == wanted.kind or (
            weaker and order.find(yours.kind) < order.find(wanted.kind)
        )
    if isinstance(expected, (float, complex)) and not isinstance(expected, np.generic):
        return yours.kind == wanted.kind
    whole = {"i", "u"}
    return yours == wanted or (yours.kind in whole and wanted.kind in whole)


def _shape_advice(yours: np.ndarray, wanted: np.ndarray, tolerance: float) -> str:
    """What is likely to be wrong with a shape, when the values themselves are right."""
    for candidate, advice in (
        (yours.T, ": it is the transpose of the right answer"),
        (yours.reshape(wanted.shape) if yours.size == wanted.size else yours, ""),
    ):
        if candidate.shape != wanted.shape or _wrong_elements(candidate, wanted, tolerance).any():
            continue
        lost_an_axis = yours.ndim < wanted.ndim and 1 in wanted.shape
        cure = "; is keepdims=True missing?" if lost_an_axis else ""
        return advice or f": the values are right, only the axes are not{cure}"
    return ""


def _value_sentence(yours: np.ndarray, wanted: np.ndarray, wrong: np.ndarray, part: str) -> str:
    amount = f" ({_amount(wrong)})" if wrong.ndim else ""
    if yours.dtype.kind in "fc":
        broken = wrong & ~np.isfinite(yours)
        if broken.any() and np.isfinite(wanted[broken]).any():
            what = "NaN" if np.isnan(yours[broken]).any() else "infinity"
            verb = "is" if not wrong.ndim else "holds"
            amount = f" ({_amount(broken)})" if wrong.ndim else ""
            return f"{_subject(part)} {verb} {what} where a finite number was expected{amount}."
    return (
        f"{_subject(part)} has wrong values{amount}."
        if wrong.ndim
        else (f"{_subject(part)} has the wrong value.")
    )


def _amount(wrong: np.ndarray) -> str:
    return f"{np.count_nonzero(wrong)} of {wrong.size} elements"


def _worst(yours: np.ndarray, wanted: np.ndarray, wrong: np.ndarray) -> str:
    """The element that is furthest off, with both values; the first one when all are equal."""
    distance = wrong.astype(float)
    kinds = {yours.dtype.kind, wanted.dtype.kind}
    if kinds & set("fc") and "O" not in kinds:  # integers too long for NumPy are objects
        with np.errstate(all="ignore"):
            distance = np.abs(yours - wanted) / (1 + np.abs(wanted))
        distance = np.where(wrong, np.nan_to_num(distance, nan=np.inf), -1)
    index = np.unravel_index(np.argmax(distance), wanted.shape)
    mine, theirs = _number_pair(yours[index], wanted[index])
    place = f"[{', '.join(map(str, index))}] " if index else ""
    return f"{place}yours {mine}, expected {theirs}"


def _plain(answer: Any, expected: Any, part: str) -> Difference:
    yours, wanted = _with_article(describe(answer)), _with_article(describe(expected))
    sentence = f"{_subject(part)} is {yours}, where {wanted} was expected."
    return _difference(sentence, answer, expected)


def _difference(sentence: str, answer: Any, expected: Any) -> Difference:
    return Difference(sentence, describe(answer), describe(expected))


def _subject(part: str) -> str:
    return f"Part {part} of your answer" if part else "Your answer"


def _with_article(words: str) -> str:
    if not words[0].islower() or words.startswith("the "):
        return words
    return f"{'an' if words[0] in 'aeio' else 'a'} {words}"


def _first(differences) -> Difference | None:
    return next((d for d in differences if d is not None), None)


def _is_numeric(value: Any) -> bool:
    if isinstance(value, (str, bytes, np.str_, np.bytes_)):
        return False
    return isinstance(value, (bool, int, float, complex, np.generic, np.ndarray))


def _equal(answer: Any, expected: Any) -> bool:
    try:
        return bool(answer == expected)
    except Exception:  # whatever == of a foreign type does, the answer is not the expected one
        return False


def _describe_array(value: np.ndarray) -> str:
    if 0 < value.size <= SMALL and value.dtype.kind in "biufc":
        numbers = np.array2string(value, separator=", ", precision=4, max_line_width=10**6)
        return f"{value.dtype} array {' '.join(numbers.split())}"
    return f"{value.dtype} array of shape {value.shape}"


def _describe_sequence(value: tuple | list) -> str:
    if not value:
        return f"empty {type(value).__name__}"
    plain = (bool, int, float, str, np.generic)
    if len(value) <= SMALL and all(isinstance(v, plain) for v in value):
        items = ", ".join(repr(v) if isinstance(v, str) else _number(v) for v in value)
        return f"{type(value).__name__} [{_shortened(items)}]"
    parts = list(map(describe, value))
    is_alike = len(set(parts)) == 1
    if len(value) > SMALL or (len(value) > 1 and is_alike):
        alike = f", each {parts[0]}" if is_alike else ""
        return f"{type(value).__name__} of {len(value)}{alike}"
    return f"{type(value).__name__} of {', '.join(parts)}"


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, (float, complex, np.inexact)) else str(value)


def _number_pair(mine: Any, theirs: Any) -> tuple[str, str]:
    """Both numbers, with as many digits as it takes to tell them apart."""
    if _number(mine) == _number(theirs) and mine is not theirs:
        return str(mine), str(theirs)
    return _number(mine), _number(theirs)


def _shortened(text: str, length: int = 60) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
