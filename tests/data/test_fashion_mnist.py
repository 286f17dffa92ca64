"""IDX files are read exactly, and bad ones are refused."""

import gzip
import hashlib

import numpy as np
import pytest

from bigmodel_edu.data import (
    DOWNLOADS,
    FASHION_MNIST_CLASS_NAMES,
    DataFile,
    DataFileError,
    Download,
    load_fashion_mnist,
    read_idx,
)


def idx(array):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes((0, 0, 8, array.ndim)) + sizes + array.tobytes()


@pytest.fixture
def tiny_fashion(cache, monkeypatch):
    """Five images to train and three to test in the cache, as the registered files."""
    rng = np.random.default_rng(0)
    arrays = {}
    files = []
    for part, n in (("train", 5), ("t10k", 3)):
        arrays[part] = (
            rng.integers(0, 256, (n, 28, 28), dtype=np.uint8),
            rng.integers(0, 10, n, dtype=np.uint8),
        )
        for array in arrays[part]:
            content = gzip.compress(idx(array))
            path = f"images/{part}-{array.ndim}.gz"
            (cache / path).parent.mkdir(parents=True, exist_ok=True)
            (cache / path).write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            files.append(DataFile(path, len(content), digest, "http://127.0.0.1:9"))
    download = Download("fashion-mnist", "tiny", tuple(files), "MIT", "made here", "")
    monkeypatch.setitem(DOWNLOADS, "fashion-mnist", download)
    return arrays


def test_load_gives_rows_in_the_unit_interval(tiny_fashion):
    data = load_fashion_mnist()
    for part, x, y in (
        ("train", data.x_train, data.y_train),
        ("t10k", data.x_test, data.y_test),
    ):
        images, labels = tiny_fashion[part]
        assert x.dtype == np.float32
        assert y.dtype == np.int64
        np.testing.assert_allclose(x, images.reshape(len(images), 784) / 255, rtol=1e-6)
        np.testing.assert_array_equal(y, labels)


def test_registered_files_are_in_the_order_of_the_loader():
    kinds = [
        file.path.rpartition("/")[2].split("-")[:2] for file in DOWNLOADS["fashion-mnist"].files
    ]
    assert kinds == [
        ["train", "images"],
        ["train", "labels"],
        ["t10k", "images"],
        ["t10k", "labels"],
    ]


def test_there_are_ten_class_names():
    assert len(FASHION_MNIST_CLASS_NAMES) == 10


@pytest.mark.parametrize("shape", [(7,), (5, 3, 2), (0,)])
def test_read_idx(tmp_path, shape):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    (tmp_path / "a.gz").write_bytes(gzip.compress(idx(array)))
    read = read_idx(tmp_path / "a.gz")
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, array)


GOOD = idx(np.arange(30, dtype=np.uint8).reshape(5, 3, 2))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not gzip at all", "not a complete gzip file"),
        (gzip.compress(GOOD)[:-9], "not a complete gzip file"),
        (gzip.compress(GOOD)[:20] + b"\xff" * 30, "not a complete gzip file"),
        (gzip.compress(b""), "got nothing"),
        (gzip.compress(b"\x00\x00\x0d" + GOOD[3:]), "got 00 00 0d 03"),
        (gzip.compress(GOOD[:9]), "begin with an IDX header"),
        (gzip.compress(GOOD[:-1]), r"must hold 30 bytes .* shape \(5, 3, 2\), got 29"),
        (gzip.compress(GOOD + b"\x00"), "must hold 30 bytes .* got 31"),
    ],
    # the bytes hold the time, so that as ids they would differ between the workers
    ids=[
        "no gzip",
        "cut",
        "garbled",
        "empty",
        "wrong type",
        "half a header",
        "too short",
        "too long",
    ],
)
def test_bad_idx_is_refused(tmp_path, content, words):
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(DataFileError, match=words):
        read_idx(tmp_path / "a.gz")
