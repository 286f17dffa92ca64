"""The book's data: real data that its dependencies carry, and public sets to download.

`describe()` lists everything. Importing this package loads only NumPy; scikit-learn and
pooch come in when a loader first needs them.
"""

from .digits import Digits, load_digits
from .downloads import (
    DOWNLOADS,
    DataFile,
    DataFileError,
    Download,
    data_folder,
    fetch,
    human_size,
    status,
)
from .fashion_mnist import CLASS_NAMES as FASHION_MNIST_CLASS_NAMES
from .fashion_mnist import FashionMNIST, load_fashion_mnist, read_idx
from .overview import INCLUDED, Included, describe
from .text import load_tiny_shakespeare
from .validation import NonFiniteError, validate_examples

__all__ = [
    "DOWNLOADS",
    "FASHION_MNIST_CLASS_NAMES",
    "INCLUDED",
    "DataFile",
    "DataFileError",
    "Digits",
    "Download",
    "FashionMNIST",
    "Included",
    "NonFiniteError",
    "data_folder",
    "describe",
    "fetch",
    "human_size",
    "load_digits",
    "load_fashion_mnist",
    "load_tiny_shakespeare",
    "read_idx",
    "status",
    "validate_examples",
]
