"""Is this installation sound? What `bigmodel doctor` reports."""

import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from bigmodel_edu import __version__

DISTRIBUTION = "bigmodel-edu"
_REINSTALL = "run `make lab` in the book's folder, or `pip install -e .` there"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    status: "ok"; "missing", when it is optional and not here; "wrong", when the book needs it.
    advice: what to do, "" when there is nothing to do.
    """

    name: str
    status: Literal["ok", "missing", "wrong"]
    found: str
    advice: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the finding as a dict that JSON can hold."""
        return asdict(self)


def examine() -> list[Finding]:
    """Look at everything the book uses on this machine."""
    return [
        _python(),
        *_packages(),
        _torch(),
        _cupy(),
        _kernels_on_cpu(),
        _nvrtc(),
        _folder("data folder", _data_folder, "BIGMODEL_DATA_DIR"),
        _mirror(),
        _chapters_data(),
        _folder("progress folder", _progress_folder, "BIGMODEL_STATE_DIR"),
    ]


def _python() -> Finding:
    version = platform.python_version()
    found = f"{version} on {platform.system()} {platform.machine()}"
    needed = _metadata("Requires-Python")
    if needed and not SpecifierSet(needed).contains(version, prereleases=True):
        return Finding("Python", "wrong", found, f"install a Python that is {needed}")
    return Finding("Python", "ok", found)


def _packages() -> Iterator[Finding]:
    """The book itself, then every package that its pyproject.toml asks for on this platform."""
    requirements = _requirements()
    if not requirements:
        yield Finding(DISTRIBUTION, "wrong", f"{__version__}, not installed", _REINSTALL)
        return
    yield Finding(DISTRIBUTION, "ok", __version__)
    for name, (requirement, extra) in requirements.items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield _absent(requirement, extra)
            continue
        if requirement.specifier.contains(version, prereleases=True):
            yield Finding(name, "ok", version)
        else:
            advice = f"pip install '{name}{requirement.specifier}'"
            yield Finding(
                name, "wrong", f"{version}, but {requirement.specifier} is needed", advice
            )


def _absent(requirement: Requirement, extra: str) -> Finding:
    if not extra:
        return Finding(requirement.name, "wrong", "not installed", _REINSTALL)
    advice = f"optional: pip install -e '.[{extra}]'"
    return Finding(requirement.name, "missing", "not installed", advice)


def _requirements() -> dict[str, tuple[Requirement, str]]:
    """What this platform needs, by name, with the extra that it belongs to ("" for none)."""
    try:
        lines = metadata.requires(DISTRIBUTION) or []
        extras = ["", *metadata.metadata(DISTRIBUTION).get_all("Provides-Extra", [])]
    except metadata.PackageNotFoundError:
        return {}
    found: dict[str, tuple[Requirement, str]] = {}
    for requirement in map(Requirement, lines):
        for extra in extras:
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                found.setdefault(requirement.name, (requirement, extra))
                break
    return found


def _metadata(field: str) -> str:
    try:
        return metadata.metadata(DISTRIBUTION)[field] or ""
    except metadata.PackageNotFoundError:
        return ""


def _torch() -> Finding:
    name = "GPU for PyTorch"
    try:
        import torch
    except Exception as error:  # a broken installation raises ImportError, OSError and more
        advice = "reinstall it: pip install --force-reinstall torch"
        return Finding(name, "wrong", f"PyTorch cannot be imported: {error}", advice)
    if torch.cuda.is_available():
        return Finding(name, "ok", torch.cuda.get_device_name())
    return Finding(name, "missing", "none", "optional: every chapter runs on the CPU")


def _cupy() -> Finding:
    from bigmodel_edu.parity import no_gpu

    name = "GPU for CuPy"
    if reason := no_gpu():
        return Finding(name, "missing", reason, "optional: every chapter runs on the CPU")
    import cupy

    return Finding(name, "ok", cupy.cuda.runtime.getDeviceProperties(0)["name"].decode())


def _kernels_on_cpu() -> Finding:
    from bigmodel_edu.cuda import on_cpu

    return _optional("CUDA kernels on the CPU", on_cpu.unavailable(), "a C++20 compiler")


def _nvrtc() -> Finding:
    from bigmodel_edu.cuda import nvrtc

    advice = "pip install -e '.[test]'"
    return _optional("CUDA compiler (NVRTC)", nvrtc.unavailable(), advice)


def _optional(name: str, reason: str | None, advice: str) -> Finding:
    if reason:
        return Finding(
            name, "missing", reason, f"optional, to judge kernels without a GPU: {advice}"
        )
    return Finding(name, "ok", "works")


def _data_folder() -> Path:
    from bigmodel_edu.data import data_folder

    return data_folder()


def _progress_folder() -> Path:
    from bigmodel_edu.labs.store import state_folder

    return state_folder()


def _folder(name: str, locate: Callable[[], Path], variable: str) -> Finding:
    """Whether a folder, or the nearest parent that exists, can be written to."""
    folder = locate()
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    try:
        tempfile.TemporaryFile(dir=nearest).close()
    except OSError as error:
        if name == "data folder" and os.environ.get("BIGMODEL_DATA_MIRROR"):
            return Finding(name, "ok", f"{folder} (read only, as a mirror may be)")
        advice = f"make it writable, or name another folder in {variable}"
        return Finding(name, "wrong", f"{folder}: {error.strerror}", advice)
    return Finding(name, "ok", str(folder))


def _mirror() -> Finding:
    name, mirror = "data mirror", os.environ.get("BIGMODEL_DATA_MIRROR")
    if not mirror:
        return Finding(name, "ok", "not set: `bigmodel data fetch` downloads")
    if Path(mirror).is_dir():
        return Finding(name, "ok", mirror)
    advice = "set BIGMODEL_DATA_MIRROR to an existing folder, or unset it"
    return Finding(name, "wrong", f"{mirror} is not a folder", advice)


def _chapters_data() -> Finding:
    from bigmodel_edu.data import DOWNLOADS, human_size, status

    name = "data of the chapters"
    used = [download for download in DOWNLOADS.values() if download.in_chapters]
    lacking = [
        f"{download.name} ({human_size(download.size)}) is {found}"
        for download in used
        if (found := status(download.name)) != "ready"
    ]
    if not lacking:
        return Finding(name, "ok", ", ".join(download.name for download in used))
    return Finding(name, "missing", ", ".join(lacking), "`bigmodel data fetch --default`")
