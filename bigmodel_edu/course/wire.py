"""Values as bytes, and back: what crosses the border between the grader and a student's process.

A message is the length of its JSON (8 bytes, little-endian), the JSON, and then its arrays, each
as a whole .npy file (NumPy Enhancement Proposal 1). The JSON holds the structure: numbers, texts,
lists, tuples and dicts, and marks where an array stands; the arrays follow in the order of their
marks. Nothing is ever pickled.

`unpack` is written for bytes from somebody hostile: it raises WireError and nothing else, and takes
time and memory in proportion to the length of the message, whatever is done with the value later.
So each array is meant once: a list that names one array of 10 MB ten thousand times is a short
message, and 100 GB as soon as somebody makes an array of it.

This file also runs in the student's process, where NumPy is all there is: it imports nothing else.
"""

import dataclasses
import io
import json
import math
import numbers
import operator
import struct

import numpy as np
from numpy.lib import format as npy

NUMERIC = "biufc"
"""Kinds of dtype that travel: bool, signed and unsigned integers, floats, complex numbers."""
MAX_JSON = 4_000_000  # bytes
MAX_DEPTH = 20
MAX_NODES = 200_000
MAX_NPY_HEADER = 10_000  # bytes
MAX_EMPTY = 1_000_000  # product of the other sides of an array that has a side of length 0
MAX_SAME_HASH = 100  # keys of a dict that Python would have to compare with each other


class WireError(ValueError):
    """Bytes that are no message, or a value that cannot be put into one."""


def pack(value) -> bytes:
    """Return `value` as a message; WireError names the type of what cannot travel.

    Arrays of any memory layout and subclass travel as plain arrays; instances of dataclasses in a
    chapter's module `given` as the name of their class and their fields.
    """
    arrays: list[np.ndarray] = []
    skeleton = json.dumps(_skeleton(value, arrays)).encode()
    file = io.BytesIO()
    for array in arrays:
        npy.write_array(file, array, allow_pickle=False)
    return struct.pack("<Q", len(skeleton)) + skeleton + file.getvalue()


def unpack(message: bytes, given=None):
    """Return the value in `message`.

    given: finds a class by chapter and name; without it a message with such an object is refused.
    """
    try:
        return _Reader(message, given).value()
    except WireError:
        raise
    except (Exception, RecursionError, MemoryError) as error:
        raise WireError(f"damaged message ({type(error).__name__})") from None


def unpack_all(data: bytes) -> tuple[tuple, bool]:
    """Return the values of messages that each come after their length, and whether all is whole.

    In the place of a message that is none stands `{"unusable": why}`.
    """
    values, rest = [], memoryview(data)
    while len(rest) >= 8:
        (length,) = struct.unpack_from("<Q", rest)
        if length > len(rest) - 8:
            break
        try:
            values.append(unpack(bytes(rest[8 : 8 + length])))
        except WireError as error:
            values.append({"unusable": str(error)})
        rest = rest[8 + length :]
    return tuple(values), not rest


# Writing


def _skeleton(value, arrays: list[np.ndarray]):
    if value is None or isinstance(value, (bool, str)):
        return value
    if value is ...:
        return {"ellipsis": 1}
    if isinstance(value, np.ndarray):
        return _array(np.asarray(value), arrays)
    if isinstance(value, np.generic):
        _array(np.asarray(value), arrays)
        return {"scalar": 1}
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return {"float": float(value).hex()}
    if isinstance(value, numbers.Complex):
        return {"complex": [complex(value).real.hex(), complex(value).imag.hex()]}
    if isinstance(value, range):
        value = list(value)
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_skeleton(item, arrays) for item in value]}
    if isinstance(value, dict):
        pairs = [[_skeleton(k, arrays), _skeleton(v, arrays)] for k, v in value.items()]
        return {"dict": pairs}
    if dataclasses.is_dataclass(value) and (chapter := _giving_chapter(value)):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {"given": [chapter, type(value).__name__, _skeleton(fields, arrays)]}
    raise WireError(f"{_article(type(value).__name__)}, where numbers were expected")


def _array(array: np.ndarray, arrays: list[np.ndarray]):
    if array.dtype.kind == "U":
        return _skeleton(array.tolist(), arrays)
    if array.dtype.kind not in NUMERIC:
        raise WireError(f"an array of dtype {array.dtype.name}, where numbers were expected")
    arrays.append(array)
    return {"array": 1}


def _giving_chapter(value) -> str:
    """The chapter whose module `given` an object is of; where it was sent: `given_<chapter>`."""
    name = type(value).__module__
    if name.endswith(".given"):
        return name.split(".")[-2]
    return name.removeprefix("given_") if name.startswith("given_") else ""


def _article(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


# Reading


class _Reader:
    """Reads one message; every count and length in it is checked before it is believed."""

    def __init__(self, message: bytes, given) -> None:
        if len(message) < 8:
            raise WireError("the message is too short")
        (length,) = struct.unpack_from("<Q", message)
        if length > min(MAX_JSON, len(message) - 8):
            raise WireError("the message is cut off, or its structure too large")
        body = memoryview(message)[8:]
        self.skeleton = json.loads(bytes(body[:length]), parse_constant=_no_constant)
        self.arrays = _read_arrays(body[length:])
        self.given = given
        self.nodes = 0

    def value(self):
        value = self._read(self.skeleton, 0)
        if next(self.arrays, None) is not None:
            raise WireError("damaged message (too many arrays)")
        return value

    def _read(self, node, depth: int):
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise WireError("the answer is nested too deeply or has too many parts")
        if node is None or isinstance(node, (bool, int)):
            return node
        if isinstance(node, str):
            return _clean(node)
        if not (isinstance(node, dict) and len(node) == 1):
            raise WireError("damaged message (structure)")
        ((kind, content),) = node.items()
        readers = {
            "ellipsis": lambda: ...,
            "array": self._array,
            "scalar": self._scalar,
            "float": lambda: float.fromhex(content),
            "complex": lambda: complex(*map(float.fromhex, content)),
            "list": lambda: [self._read(item, depth + 1) for item in content],
            "tuple": lambda: tuple(self._read(item, depth + 1) for item in content),
            "dict": lambda: self._dict(content, depth),
            "given": lambda: self._object(*content, depth),
        }
        return readers[kind]()

    def _array(self) -> np.ndarray:
        array = next(self.arrays, None)
        if array is None:
            raise WireError("damaged message (too few arrays)")
        return array

    def _scalar(self) -> np.generic:
        array = self._array()
        if array.shape:
            raise WireError("damaged message (scalar)")
        return array[()]

    def _dict(self, content, depth: int) -> dict:
        pairs = [(self._read(k, depth + 1), self._read(v, depth + 1)) for k, v in content]
        hashes = sorted(hash(key) for key, _ in pairs)
        if any(map(operator.eq, hashes, hashes[MAX_SAME_HASH:])):
            raise WireError("a dict whose keys are chosen to take long")
        return dict(pairs)

    def _object(self, chapter: str, name: str, fields, depth: int):
        if self.given is None:
            raise WireError("an object, where numbers were expected")
        return self.given(chapter, name)(**self._read(fields, depth + 1))


def _read_arrays(data: memoryview):
    """Yield the arrays of .npy files that follow each other and fill `data` exactly."""
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    while data:
        header = io.BytesIO(bytes(data[: MAX_NPY_HEADER + 20]))
        version = npy.read_magic(header)
        shape, fortran, dtype = readers[version](header, max_header_size=MAX_NPY_HEADER)
        if dtype.kind not in NUMERIC:
            raise WireError(f"an array of dtype {dtype.name}, where numbers were expected")
        start, length = header.tell(), math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or start + length > len(data):
            raise WireError("an array is cut off")
        if math.prod(filter(None, shape)) > max(MAX_EMPTY, length):
            raise WireError("an empty array of an enormous shape")
        flat = np.frombuffer(data[start : start + length], dtype=dtype)
        yield flat.reshape(shape, order="F" if fortran else "C").copy()
        data = data[start + length :]


def _clean(text: str) -> str:
    """`text` without lone surrogates, which no file could store."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _no_constant(name: str):
    raise WireError(f"damaged message ({name})")
