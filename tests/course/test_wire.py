"""Values travel whole; bytes from somebody hostile raise WireError, and nothing else."""

import contextlib
import io
import json
import pickle
import struct
import time
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigmodel_edu.course import wire
from bigmodel_edu.course.wire import WireError, pack, unpack
from bigmodel_edu.labs.differences import changed
from bigmodel_edu.neural_nets.given import CoupledCubic

RNG = np.random.default_rng(0)
SQUARE = RNG.normal(size=(5, 7))


@pytest.mark.parametrize(
    "value",
    [
        None,
        ...,
        True,
        0,
        -(10**30),
        10**300,
        0.1,
        -0.0,
        float("inf"),
        2 - 3j,
        "text",
        "Žofie 李 \n\x00",
        (),
        (1, (2.5, [None, "x"]), {"a": 1, 2: (3,)}),
        [SQUARE, {"w": SQUARE.astype(np.float32)}],
        np.float32(0.1),
        np.int64(-5),
        np.bool_(True),
        np.array(3.5),
        np.zeros((0, 3)),
        np.zeros((3, 0, 2)),
        SQUARE > 0,
        SQUARE.astype(np.complex64),
        np.arange(7, dtype=np.uint8),
        np.array([np.nan, np.inf, -np.inf, -0.0]),
        np.longdouble("0.1") * np.ones(3, np.longdouble),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_value_comes_back_as_it_was(value):
    back = unpack(pack(value))
    assert type(back) is type(value)
    assert not changed(value, back)
    if isinstance(value, np.ndarray):
        assert back.flags.writeable


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(SQUARE),
        SQUARE.T,
        SQUARE[::-2, ::3],
        np.broadcast_to(SQUARE[0], (3, 7)),
        np.asmatrix(SQUARE),
        np.ma.masked_less(SQUARE, -10),
        SQUARE.astype(">f8"),
    ],
    ids=["fortran", "transposed", "strided", "broadcast", "matrix", "masked", "big endian"],
)
def test_any_layout_and_subclass_travels_as_a_plain_array(array):
    back = unpack(pack(array))
    assert type(back) is np.ndarray
    np.testing.assert_array_equal(back, np.asarray(array))


def test_minus_zero_keeps_its_sign():
    assert np.signbit(unpack(pack(-0.0)))


@pytest.mark.parametrize(
    ("value", "back"),
    [
        (range(3), [0, 1, 2]),
        (np.array(["a", "bc"]), ["a", "bc"]),
        (Fraction(1, 2), 0.5),
        ("\ud800", "?"),
    ],
)
def test_some_values_come_back_as_their_nearest_kin(value, back):
    assert unpack(pack(value)) == back


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (object(), "an object, where numbers were expected"),
        (len, "a builtin_function_or_method"),
        ({1, 2}, "a set"),
        (b"bytes", "a bytes"),
        ([1, [2, lambda: 0]], "a function"),
        (np.array([object()]), "an array of dtype object"),
        (np.zeros(2, dtype="f8,i4"), "an array of dtype void"),
        (np.zeros(2, dtype="M8[s]"), "an array of dtype datetime64"),
        (np.array([b"x"]), "an array of dtype bytes"),
    ],
)
def test_what_cannot_travel_is_named(value, words):
    with pytest.raises(WireError, match=words):
        pack(value)


def test_an_object_that_is_given_travels_by_its_name():
    cubic = CoupledCubic(SQUARE, 0.7)
    back = unpack(pack((cubic, 1)), given=lambda chapter, name: CoupledCubic)[0]
    assert back(SQUARE) == cubic(SQUARE)
    with pytest.raises(WireError, match="an object, where numbers were expected"):
        unpack(pack(cubic))


# From somebody hostile


def message(skeleton: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(skeleton)) + skeleton + body


def npy(header: str, data: bytes = b"", version: int = 1) -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode() + data


def header(shape: str, dtype: str = "'<f8'") -> str:
    return f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}\n"


def saved(value, **options) -> bytes:
    file = io.BytesIO()
    np.save(file, value, **options)
    return file.getvalue()


def archive() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.zeros(3))
    return file.getvalue()


ARRAY = b'{"array": 1}'
HOSTILE = {
    "nothing": b"",
    "seven bytes": b"1234567",
    "a length beyond all": struct.pack("<Q", 2**63) + b"x",
    "a length beyond the end": struct.pack("<Q", 100) + b"{}",
    "no JSON": message(b"\xff\xfe"),
    "JSON's NaN": message(b"NaN"),
    "a float": message(b"1.5"),
    "deep": message(b"[" * 100_000),
    "deep lists": message(b'{"list": [' * 50 + b"]}" * 50),
    "many parts": message(b'{"list": [' + b",".join([b"0"] * 300_000) + b"]}"),
    "two keys": message(b'{"list": [], "tuple": []}'),
    "an unknown kind": message(b'{"pickle": "x"}'),
    "a list of nothing": message(b'{"list": 5}'),
    "a dict of nothing": message(b'{"dict": [[1]]}'),
    "a key that cannot be one": message(b'{"dict": [[{"list": []}, 1]]}'),
    "an array as a key": message(b'{"dict": [[{"array": 1}, 1]]}', saved(np.zeros(3))),
    "no such array": message(ARRAY),
    "one array meant twice": message(b'{"list": [%s, %s]}' % (ARRAY, ARRAY), saved(np.zeros(3))),
    "an array that nobody means": message(ARRAY, saved(np.zeros(3)) * 2),
    "no scalar": message(b'{"scalar": 1}', saved(np.zeros(3))),
    "a damaged float": message(b'{"float": "0x1.8p0 and more"}'),
    "a float that is none": message(b'{"float": 1}'),
    "a complex number of three": message(b'{"complex": ["0x0p0", "0x0p0", "0x0p0"]}'),
    "a huge integer": message(b"1" * 100_000),
    "an object": message(b'{"given": ["os", "system", {"dict": []}]}'),
    "a pickle": pickle.dumps([1, 2]),
    "a pickled array": message(ARRAY, saved(np.array([{}]), allow_pickle=True)),
    "an archive": message(ARRAY, archive()),
    "no array": message(ARRAY, b"\x93NUMPX\x01\x00"),
    "a version that is none": message(ARRAY, npy(header("(1,)"), b"\0" * 8, version=9)),
    "a terabyte": message(ARRAY, npy(header("(1000000000000,)"))),
    "a count that overflows": message(ARRAY, npy(header("(4294967296, 4294967296, 2)"))),
    "a negative length": message(ARRAY, npy(header("(-1,)"))),
    "a negative length that leads back": message(
        ARRAY, npy(header("(-128,)", "'|u1'").rstrip("\n").ljust(117) + "\n")
    ),
    "two negative lengths": message(ARRAY, npy(header("(-2, -4)"), b"\0" * 64)),
    "no shape": message(ARRAY, npy(header("7"))),
    "code in the header": message(ARRAY, npy(header("(__import__('os').getpid(),)"))),
    "a giant header": message(ARRAY, npy(header("(1,)") + " " * 60_000, b"\0" * 8)),
    "a header of 2 GB": message(ARRAY, b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + b"{"),
    "a cut array": message(ARRAY, saved(np.zeros(100))[:-1]),
    "objects": message(ARRAY, npy(header("(1,)", "'|O'"), b"\0" * 8)),
    "texts": message(ARRAY, npy(header("(1,)", "'<U2'"), b"\0" * 8)),
    "dates": message(ARRAY, npy(header("(1,)", "'<M8[s]'"), b"\0" * 8)),
    "records": message(ARRAY, npy(header("(1,)", "[('a', '<f8')]"), b"\0" * 8)),
    "subarrays": message(ARRAY, npy(header("(1,)", "('<f8', (2,))"), b"\0" * 16)),
    "something after it": message(ARRAY, saved(np.zeros(3)) + b"x"),
    "nothing, 2**60 times": message(ARRAY, npy(header("(1152921504606846976, 0)"))),
    "nothing, a million times a million": message(ARRAY, npy(header("(1000000, 0, 1000000)"))),
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_raise_one_error_and_take_no_memory(hostile):
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            unpack(hostile)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000 + 100 * len(hostile)


def cpu_seconds(work) -> float:
    started = time.process_time()
    with contextlib.suppress(WireError):
        work()
    return time.process_time() - started


@pytest.mark.parametrize(
    "keys",
    [
        [i * (2**61 - 1) for i in range(50_000)],  # their hash is 0
        [{"tuple": [i * (2**61 - 1)]} for i in range(40_000)],
    ],
    ids=["integers", "tuples"],
)
def test_keys_that_collide_take_no_time(keys):
    hostile = message(json.dumps({"dict": [[key, 0] for key in keys]}).encode())
    assert cpu_seconds(lambda: unpack(hostile)) < 2


def test_a_dict_of_many_honest_keys_comes_back():
    value = {(i, f"word {i}"): i for i in range(30_000)}
    assert unpack(pack(value)) == value


def test_a_million_arrays_take_no_time():
    assert cpu_seconds(lambda: unpack(message(ARRAY, saved(np.zeros(0)) * 100_000))) < 0.5


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_value_or_raise_one_error(data):
    for candidate in (
        data,
        message(ARRAY, data),
        message(data),
        message(ARRAY, b"\x93NUMPY" + data),
    ):
        with contextlib.suppress(WireError):
            unpack(candidate)


SAMPLES = [pack((SQUARE[:2], [1, "x", None], {"k": 2.5})), pack({"answer": SQUARE, "changed": [0]})]


@given(st.sampled_from(SAMPLES), st.data())
@settings(max_examples=500, deadline=None)
def test_changed_bytes_are_a_value_or_raise_one_error(sample, data):
    damaged = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    for candidate in (bytes(damaged), bytes(damaged[:cut])):
        with contextlib.suppress(WireError):
            unpack(candidate)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"), max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=3), inner, max_size=3)
    ),
    max_leaves=20,
)


@given(values)
def test_whatever_is_packed_comes_back(value):
    assert unpack(pack(value)) == value


def test_the_file_that_is_sent_along_imports_nothing_of_the_book():
    assert "bigmodel_edu" not in Path(wire.__file__).read_text(encoding="utf-8")
