"""Checkpoints: what a training needs in order to go on, in one file that is whole or not there.

    save(path, arrays, step=100, configuration=configuration)
    checkpoint = load(path, configuration, like=arrays)

The file is an uncompressed `.npz` (`np.load` opens it too) with a JSON text in front and the
SHA-256 of everything at its end. Nothing is pickled, so opening a stranger's file runs no code.
It is written under another name beside its place, flushed to the disk and then moved: a process
that dies at any moment leaves the checkpoint from before.

A checkpoint that is to resume "to the same numbers" holds more than the parameters: the
optimizer's state, and where each random generator stood. `generator_state` is for NumPy's
generators; `bigmodel_edu.training.torch_state` has what PyTorch needs, and the loop beside it saves
and resumes by itself.
"""

import hashlib
import io
import json
import os
import re
import secrets
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bigmodel_edu.errors import BookError, HyperparameterError
from bigmodel_edu.layer import Array, Params, expect_count, shape_text

HEADER = "checkpoint.json"  # the first member of the file
DIGEST_LENGTH = 64  # hexadecimal digits of a SHA-256, the last bytes of the file
FORMAT = 2
_FILE_NAME = re.compile(r"step-(\d+)\.npz")


class CheckpointError(BookError):
    """A checkpoint cannot be written, cannot be read, or belongs to something else."""


@dataclass(frozen=True)
class Checkpoint:
    """What a file held: arrays by name, the step they are from, and `extra`, plain JSON values."""

    arrays: Params
    step: int
    configuration: Any
    extra: dict[str, Any]
    path: Path


def save(
    path: str | Path,
    arrays: Mapping[str, Array],
    *,
    step: int,
    configuration: Any,
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Write a checkpoint to `path`, whole or not at all, and return its path.

    `configuration` (a dataclass or a dict) says what the arrays belong to and is compared when
    they are loaded; `extra` is anything else that JSON can hold, as the history of the losses.

    Raises:
        CheckpointError: it cannot be written, or something in it cannot be stored.
    """
    path = Path(path)
    if not isinstance(step, int | np.integer) or step < 0:
        raise HyperparameterError(f"step is {step}, expected a whole number of 0 or more.")
    header = {
        "format": FORMAT,
        "step": int(step),
        "configuration": as_json("configuration", configuration),
        "extra": as_json("extra", dict(extra or {})),
        "arrays": list(arrays),
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.comment = b"0" * DIGEST_LENGTH  # the last bytes of a zip file are its comment
        file.writestr(zipfile.ZipInfo(HEADER), json.dumps(header))
        for name, value in arrays.items():
            with file.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, _storable(name, value), allow_pickle=False)
    body = content.getbuffer()[:-DIGEST_LENGTH]
    _write(path, body, hashlib.sha256(body).hexdigest().encode())
    return path


def load(
    path: str | Path,
    configuration: Any = None,
    *,
    like: Mapping[str, Array] | None = None,
    may_differ: Collection[str] = (),
) -> Checkpoint:
    """Read the checkpoint at `path`.

    Its configuration must be equal to `configuration`, but for the fields in `may_differ` (as the
    number of epochs, to train longer); its arrays must have the names, shapes and dtypes of
    `like`. What is None is not compared.

    Raises:
        CheckpointError: there is none, it is damaged or cut short, or it belongs to something
            else; the sentence names every field or array that differs.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"The checkpoint {path} cannot be read ({error.strerror}): check the name of the file."
        ) from error
    _expect_whole(path, content)
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        header = json.loads(file.read(HEADER))
        _expect_format(path, header)
        if configuration is not None:
            _expect_configuration(path, header["configuration"], configuration, may_differ)
        arrays = {}
        for name in header["arrays"]:
            with file.open(f"{name}.npy") as stream:
                arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
    if like is not None:
        expect_arrays(str(path), arrays, like)
    return Checkpoint(arrays, header["step"], header["configuration"], header["extra"], path)


# A folder of checkpoints


def save_in(
    folder: str | Path,
    arrays: Mapping[str, Array],
    *,
    step: int,
    configuration: Any,
    extra: Mapping[str, Any] | None = None,
    keep: int = 3,
) -> Path:
    """Write `folder/step-00000100.npz`, then delete all but the last `keep`; return its path.

    The folder is made if need be. It belongs to one training: what an interrupted one left half
    written there is deleted too.
    """
    expect_count("keep", keep)
    folder = Path(folder)
    path = folder / f"step-{step:08d}.npz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for half_written in folder.glob(".step-*.npz.*.tmp"):
            half_written.unlink(missing_ok=True)
    except OSError as error:
        raise _not_written(path, error) from error
    save(path, arrays, step=step, configuration=configuration, extra=extra)
    for old in all_in(folder)[:-keep]:
        old.unlink(missing_ok=True)
    return path


def all_in(folder: str | Path) -> list[Path]:
    """Return the checkpoints that `save_in` wrote to a folder, the latest last."""
    folder = Path(folder)
    paths = folder.iterdir() if folder.is_dir() else ()
    found = {path: _FILE_NAME.fullmatch(path.name) for path in paths}
    return sorted((p for p, m in found.items() if m), key=lambda path: int(found[path][1]))


def latest(folder: str | Path) -> Path | None:
    """Return the checkpoint of the latest step in a folder, or None if it holds none."""
    paths = all_in(folder)
    return paths[-1] if paths else None


# Random generators


def generator_state(rng: np.random.Generator) -> dict[str, Any]:
    """Return where a NumPy generator stands, as JSON values for `extra`."""
    return as_json("the generator's state", rng.bit_generator.state)


def generator_from(state: Mapping[str, Any]) -> np.random.Generator:
    """Return a generator that goes on where the one of `generator_state` stood."""
    kinds = {"PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"}
    name = state.get("bit_generator") if isinstance(state, Mapping) else None
    if name not in kinds:
        raise CheckpointError(
            f"The state of a random generator is of kind {name!r}, expected one of "
            f"{', '.join(sorted(kinds))}: pass what generator_state returned."
        )
    bits = getattr(np.random, name)()
    bits.state = dict(state)
    return np.random.Generator(bits)


# What is written


def _storable(name: str, value: Array) -> Array:
    array = np.asarray(value)
    if not name or array.dtype.hasobject:
        raise CheckpointError(
            f"The array {name!r} is of dtype {array.dtype}, expected a name and numbers: other "
            "values go into `extra`."
        )
    return array


def as_json(what: str, value: Any) -> Any:
    """Return a value as JSON would give it back: dataclasses as dicts, tuples as lists."""

    def convert(x: Any) -> Any:
        if isinstance(x, np.ndarray | np.generic):
            return x.tolist()
        if is_dataclass(x) and not isinstance(x, type):
            return asdict(x)
        if isinstance(x, Path):
            return str(x)
        raise TypeError(f"{x!r} is of type {type(x).__name__}")

    try:
        return json.loads(json.dumps(value, default=convert))
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"A checkpoint cannot hold {what}: {error}, expected numbers, strings, lists, dicts "
            "or dataclasses of them."
        ) from error


def _write(path: Path, *pieces: bytes | memoryview) -> None:
    """Write to a temporary file in the same folder, flush it to the disk, move it to `path`."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            with temporary.open("xb") as stream:
                for piece in pieces:
                    stream.write(piece)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise _not_written(path, error) from error


def _sync_folder(folder: Path) -> None:
    """Let the new name survive a power failure too, where a folder can be opened (not Windows)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _not_written(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(
        f"The checkpoint {path} could not be written ({error.strerror}), what was there before "
        "is untouched: make the folder writable, make room, or name another folder."
    )


# What is read


def _expect_whole(path: Path, content: bytes) -> None:
    # a zip file begins with four fixed bytes; the name of its first member follows 26 later
    start, name = content[:4], content[30 : 30 + len(HEADER)]
    if not b"PK\x03\x04".startswith(start) or not HEADER.encode().startswith(name):
        raise CheckpointError(
            f"{path} is not a checkpoint, expected a file that "
            "bigmodel_edu.training.checkpoints.save wrote."
        )
    body, digest = content[:-DIGEST_LENGTH], content[-DIGEST_LENGTH:]
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise CheckpointError(
            f"The checkpoint {path} is damaged or cut short ({len(content):,} bytes; its SHA-256 "
            "is not the one at its end): copy it again, or go back to an earlier one."
        )


def _expect_format(path: Path, header: dict[str, Any]) -> None:
    if header["format"] != FORMAT:
        raise CheckpointError(
            f"The checkpoint {path} has format {header['format']}, expected {FORMAT}: read it "
            "with the version of this package that wrote it."
        )


def _expect_configuration(
    path: Path, stored: Any, configuration: Any, may_differ: Collection[str]
) -> None:
    theirs = _flat(stored)
    ours = _flat(as_json("configuration", configuration))
    names = [n for n in {**ours, **theirs} if n.partition(".")[0] not in may_differ]
    differences = [
        f"{name} is {_shown(theirs, name)} in the checkpoint, {_shown(ours, name)} here"
        for name in names
        if _shown(theirs, name) != _shown(ours, name)
    ]
    if differences:
        raise CheckpointError(
            f"The checkpoint {path} is of another configuration: {'; '.join(differences)}. Use "
            "its configuration, or another folder for the new training."
        )


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return {"model.hidden_size": 64, …} of nested dicts."""
    if not isinstance(value, dict) or not value:
        return {prefix or "the configuration": value}
    flat = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return flat


def _shown(flat: dict[str, Any], name: str) -> str:
    return json.dumps(flat[name], ensure_ascii=False) if name in flat else "missing"


def expect_arrays(source: str, arrays: Mapping[str, Array], like: Mapping[str, Array]) -> None:
    """Raise CheckpointError unless `arrays` has the names, shapes and dtypes of `like`."""
    wrong = [f"{name!r} is missing" for name in like if name not in arrays]
    wrong += [f"{name!r} is not expected" for name in arrays if name not in like]
    for name in (name for name in like if name in arrays):
        theirs, ours = arrays[name], np.asarray(like[name])
        if theirs.shape != ours.shape or theirs.dtype != ours.dtype:
            wrong.append(
                f"{name!r} is {theirs.dtype} of shape {shape_text(theirs.shape)}, expected "
                f"{ours.dtype} of shape {shape_text(ours.shape)}"
            )
    if wrong:
        shown = "; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else "")
        raise CheckpointError(
            f"{source} does not fit this model: {shown}. Build the model that it was saved from."
        )
