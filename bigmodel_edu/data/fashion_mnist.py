"""Fashion-MNIST: as large as MNIST, and harder (Xiao, Rasul and Vollgraf 2017)."""

import gzip
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .downloads import fetch
from .registry import DataFileError

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

UINT8 = 0x08  # the IDX code of the only element type that MNIST and its kin use


@dataclass(frozen=True)
class FashionMNIST:
    """Images of clothes; D = 784 pixels, 28 rows of 28.

    Each `x_…` is float32 of shape (N, 784) in [0, 1], where 1 is full ink, N = 60,000 to train
    and 10,000 to test; each `y_…` is int64 of shape (N,), the number of a class in `CLASS_NAMES`.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def load_fashion_mnist() -> FashionMNIST:
    """Load Fashion-MNIST, downloading its four files (31 MB) on first use.

    The files store grey as uint8; the arrays are float32, 220 MB in all, for in float64 they
    would take twice as much.

    Raises:
        DataFileError: a file is neither here nor to be had, or it is damaged.
    """
    x_train, y_train, x_test, y_test = (read_idx(path) for path in fetch("fashion-mnist"))
    return FashionMNIST(
        _scaled(x_train), y_train.astype(np.int64), _scaled(x_test), y_test.astype(np.int64)
    )


def _scaled(images: np.ndarray) -> np.ndarray:
    """Turn (N, H, W) uint8 into (N, H·W) float32 in [0, 1]."""
    return images.reshape(len(images), -1) / np.float32(255)


def read_idx(path: Path) -> np.ndarray:
    """Read a gzipped IDX file of unsigned bytes: images (N, H, W) or labels (N,), uint8.

    IDX is the format of MNIST: two zero bytes, the element type, the number of axes, each axis as
    a big-endian 32-bit integer, then the elements in C order.

    Raises:
        DataFileError: the file is not gzip, not IDX of unsigned bytes, or its length is wrong.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataFileError(
            f"{path} is not a complete gzip file ({error}): delete it and fetch it again."
        ) from error
    start = 4 + 4 * content[3] if len(content) > 3 else 4
    if content[:3] != bytes((0, 0, UINT8)) or len(content) < start:
        raise DataFileError(
            f"{path} must begin with an IDX header, 00 00 08, the number of axes and their sizes, "
            f"got {content[:4].hex(' ') or 'nothing'}: check that it is the right file."
        )
    shape = tuple(np.frombuffer(content[4:start], dtype=">u4").tolist())
    elements = np.frombuffer(content, dtype=np.uint8, offset=start)
    if elements.size != math.prod(shape):
        raise DataFileError(
            f"{path} must hold {math.prod(shape)} bytes after its header, for shape {shape}, got "
            f"{elements.size}: delete it and fetch it again."
        )
    return elements.reshape(shape)
