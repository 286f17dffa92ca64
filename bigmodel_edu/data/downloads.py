"""The public data sets that the book can download, and `fetch`, which brings them here.

A file is looked for in one folder, `data_folder()`: the mirror that the environment variable
BIGMODEL_DATA_MIRROR names (a university's shared disk, say), which is only read; or else the
cache, into which pooch downloads on first use. Every use verifies the SHA-256. A damaged file is
never used and never overwritten: it stays for inspection until somebody deletes it.
"""

import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bigmodel_edu.errors import BookError, UnknownName, did_you_mean

MIRROR = "BIGMODEL_DATA_MIRROR"
CACHE = "BIGMODEL_DATA_DIR"


class DataFileError(BookError):
    """A data file is missing and cannot be had, or it is damaged."""


@dataclass(frozen=True)
class DataFile:
    """One file: its path below the mirror or the cache, size in bytes, checksum and address."""

    path: str
    size: int
    sha256: str
    url: str


@dataclass(frozen=True)
class Download:
    """A data set of one or more files."""

    name: str
    title: str
    files: tuple[DataFile, ...]
    licence: str
    source: str
    note: str

    @property
    def size(self) -> int:
        """The size of all files together, in bytes."""
        return sum(file.size for file in self.files)


# Addresses name a commit, so that what is behind them cannot change.
_FASHION = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/"
    "b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/"
)


def _fashion_file(name: str, size: int, sha256: str) -> DataFile:
    return DataFile(f"images/fashion-mnist/{name}", size, sha256, _FASHION + name)


DOWNLOADS: dict[str, Download] = {
    "fashion-mnist": Download(
        name="fashion-mnist",
        title="70,000 images of clothes, 28×28 grey, 10 classes",
        # Sizes and SHA-256 as TensorFlow Datasets publishes them (tensorflow/datasets,
        # tensorflow_datasets/url_checksums/fashion_mnist.txt); FluxML/Flux.jl
        # (src/data/fashion-mnist.jl) publishes the same SHA-256. The MD5 in each comment is the
        # one in the README of zalandoresearch/fashion-mnist.
        files=(
            _fashion_file(  # MD5 8d4fb7e6c68d591d4c3dfef9ec88bf0d
                "train-images-idx3-ubyte.gz",
                26_421_880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            _fashion_file(  # MD5 25c81989df183df01b3e8a0aad5dffbe
                "train-labels-idx1-ubyte.gz",
                29_515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            _fashion_file(  # MD5 bef4ecab320f06d8554ea6380940ec79
                "t10k-images-idx3-ubyte.gz",
                4_422_102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            _fashion_file(  # MD5 bb300cfdad3c16e7a12a480ee83cd310
                "t10k-labels-idx1-ubyte.gz",
                5_148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
        licence="MIT",
        source="https://github.com/zalandoresearch/fashion-mnist",
        note="H. Xiao, K. Rasul and R. Vollgraf (2017), arXiv:1708.07747; shaped like MNIST",
    ),
    "tiny-shakespeare": Download(
        name="tiny-shakespeare",
        title="1.1 million characters of Shakespeare's plays",
        files=(
            DataFile(
                "text/tinyshakespeare.txt",
                1_115_394,
                "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                "https://raw.githubusercontent.com/karpathy/char-rnn/"
                "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt",
            ),
        ),
        licence="public domain",
        source="https://github.com/karpathy/char-rnn",
        note="A. Karpathy (2015), The Unreasonable Effectiveness of Recurrent Neural Networks",
    ),
}


def fetch(name: str) -> tuple[Path, ...]:
    """Return the files of a download, in the order of `Download.files`, each one verified.

    What is not in `data_folder()` is downloaded into it, with a progress bar; a mirror is only
    read. pooch writes to a temporary file and renames it once its checksum is right, so that an
    interrupted download leaves nothing half done.

    Raises:
        UnknownName: there is no download of this name.
        DataFileError: a file is neither here nor to be had, or it is damaged.
    """
    if name not in DOWNLOADS:
        raise UnknownName(
            f"There is no download named {name!r}: `bigmodel data list` shows them all."
            + did_you_mean(name, DOWNLOADS)
        )
    return tuple(_verified(file, name) for file in DOWNLOADS[name].files)


def status(name: str) -> Literal["ready", "damaged", "missing"]:
    """Tell whether the files of a download are in `data_folder()`, judging by their sizes.

    Only `fetch` reads the files and verifies their checksums.
    """
    files = DOWNLOADS[name].files
    paths = [data_folder() / file.path for file in files]
    if not all(path.is_file() for path in paths):
        return "missing"
    right = all(path.stat().st_size == file.size for path, file in zip(paths, files, strict=True))
    return "ready" if right else "damaged"


def data_folder() -> Path:
    """Return where downloads are read from: the mirror where one is set, or else the cache."""
    if folder := os.environ.get(MIRROR):
        return Path(folder).expanduser()
    return cache_folder()


def cache_folder() -> Path:
    """Return the one folder that is written to: BIGMODEL_DATA_DIR or else the user's cache."""
    if folder := os.environ.get(CACHE):
        return Path(folder).expanduser()
    import pooch

    return Path(pooch.os_cache("bigmodel_edu"))


def human_size(size: int) -> str:
    """Write a number of bytes for people: 29515 becomes "30 kB", 26421880 "26.4 MB"."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def _verified(file: DataFile, name: str) -> Path:
    path = data_folder() / file.path
    if not path.is_file():
        if os.environ.get(MIRROR):
            raise _missing_in_mirror(file, name)
        _download(file, path, name)
    if (found := _sha256(path)) != file.sha256:
        remedy = (
            f"replace it there, or unset {MIRROR} to download it"
            if os.environ.get(MIRROR)
            else f"delete it and run `bigmodel data fetch {name}`"
        )
        raise DataFileError(
            f"{path} is damaged, its SHA-256 begins with {found[:12]} and not with "
            f"{file.sha256[:12]}; it is left as it is for inspection and not used: {remedy}."
        )
    return path


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataFileError(
            f"{path} is here but cannot be read ({error.strerror}): make it readable for you."
        ) from error


def _missing_in_mirror(file: DataFile, name: str) -> DataFileError:
    folder = data_folder()
    trouble = "does not hold it" if folder.is_dir() else "is not a folder"
    return DataFileError(
        f"{file.path} ({human_size(file.size)}) is missing, {MIRROR}={folder} {trouble}: "
        f"point {MIRROR} at a folder that holds {file.path}, "
        f"or unset it and run `bigmodel data fetch {name}` to download the file."
    )


def _download(file: DataFile, path: Path, name: str) -> None:
    import pooch
    import requests
    from tqdm import tqdm

    pooch.get_logger().setLevel(logging.WARNING)
    wanted = f"{file.path} ({human_size(file.size)})"
    remedy = (
        f"connect to the network and run `bigmodel data fetch {name}`, "
        f"or set {MIRROR} to a folder that holds {file.path}"
    )
    try:
        with tqdm(total=file.size, unit="B", unit_scale=True, desc=path.name, leave=False) as bar:
            # A server that compresses on the way would make the bar's total wrong.
            downloader = pooch.HTTPDownloader(
                progressbar=bar, chunk_size=2**16, headers={"Accept-Encoding": "identity"}
            )
            pooch.retrieve(
                file.url,
                known_hash=f"sha256:{file.sha256}",
                fname=path.name,
                path=path.parent,
                downloader=downloader,
            )
    except requests.RequestException as error:
        raise DataFileError(
            f"{wanted} is not here and could not be downloaded from {file.url} "
            f"({_reason(error)}): {remedy}."
        ) from error
    except OSError as error:
        raise DataFileError(
            f"{wanted} could not be written to {path.parent} ({error.strerror or error}): free "
            f"that folder, or set {CACHE} to another one."
        ) from error
    except ValueError as error:  # pooch has compared the checksum and deleted what came
        raise DataFileError(
            f"{wanted} did not come from {file.url}, which sent something else (wrong SHA-256), "
            f"perhaps a login page; nothing was kept: {remedy}."
        ) from error


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    return type(error).__name__ if response is None else f"HTTP status {response.status_code}"
