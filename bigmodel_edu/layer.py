"""The layer contract: what every component of the book looks like.

A layer is a frozen dataclass of hyperparameters. It holds no arrays and no gradients::

    params   = layer.init(rng)                            # flat dict, keys as in PyTorch
    y, cache = layer.forward(params, x)
    (dx,), grads = layer.backward(params, cache, dy)

- ``params`` maps names to arrays; keys and layouts are those of the `state_dict` of the same
  component in PyTorch, running statistics included.
- ``forward`` returns the output and a ``cache`` with only what ``backward`` needs.
- ``backward`` takes the gradient of a scalar with respect to the output and returns one gradient
  per input (``None`` for an integer input) and one per learnable parameter. It never accumulates.
- A layer with several outputs returns a tuple of them, and ``backward`` takes a tuple of their
  gradients. An input that may be left out, such as an initial state, has its gradient all the same.
- What no gradient flows to (lengths, masks, positions) is a keyword argument, not an input.
- Randomness and mode are arguments. A layer that behaves differently in training declares
  ``mode_dependent = True`` and takes ``training=`` and ``rng=`` in ``forward``.
- The new running statistics of a training pass are returned by ``updated_buffers``; the caller
  merges them: ``params = params | layer.updated_buffers(params, cache)``.

Arrays keep their dtype: float32 in, float32 out. NumPy functions dispatch to CuPy by themselves,
so a reference that creates arrays with ``like=x`` also runs on the GPU.
"""

from collections.abc import Mapping
from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from bigmodel_edu.errors import (
    DTypeError,
    HyperparameterError,
    LabelError,
    LengthError,
    ShapeError,
    TokenError,
)

Array = np.ndarray
Params = dict[str, Array]
Outputs = Array | tuple[Array, ...]
Cache = Any
Gradients = tuple[tuple[Array | None, ...], Params]


class Layer:
    """Base class of every layer; see the module's docstring for the contract."""

    mode_dependent: ClassVar[bool] = False

    def init(self, rng: np.random.Generator) -> Params:
        """Return fresh parameters in float64 (none for a layer without parameters)."""
        return {}

    def forward(self, params: Params, *inputs: Array) -> tuple[Outputs, Cache]:
        raise NotImplementedError

    def backward(self, params: Params, cache: Cache, dy: Outputs) -> Gradients:
        raise NotImplementedError

    def updated_buffers(self, params: Params, cache: Cache) -> Params:
        """Return the running statistics after a training pass (none for most layers)."""
        return {}


def with_prefix(prefix: str, arrays: Mapping[str, Array]) -> Params:
    """Return `arrays` with ``prefix.`` in front of every key."""
    return {f"{prefix}.{key}": value for key, value in arrays.items()}


def without_prefix(prefix: str, arrays: Mapping[str, Array]) -> Params:
    """Return the arrays whose key begins with ``prefix.``, that prefix taken off."""
    start = f"{prefix}."
    return {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}


def shape_text(shape: tuple[int | str, ...]) -> str:
    """Write a shape as a reader would: ``(N, 64)``, ``(3,)``."""
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def expect_shape(name: str, array: Array, *expected: int | str) -> None:
    """Raise ShapeError unless `array` has the shape `expected`.

    A number must be met exactly, a letter stands for any positive size, and a leading ``"..."``
    for any number of leading axes.
    """
    sizes = np.shape(array)
    wanted = expected[1:] if expected[:1] == ("...",) else expected
    tail = sizes[len(sizes) - len(wanted) :]
    fits = len(tail) == len(wanted) and (len(sizes) == len(wanted) or wanted is not expected)
    if not fits or any(isinstance(w, int) and w != s for w, s in zip(wanted, tail, strict=True)):
        raise ShapeError(
            f"{name} has shape {shape_text(sizes)}, expected {shape_text(expected)}; "
            "check the order of its axes and the sizes the layer was built with."
        )
    if 0 in sizes:
        raise ShapeError(f"{name} is empty (shape {shape_text(sizes)}); give at least one example.")


def expect_floats(name: str, array: Array) -> None:
    """Raise DTypeError unless `array` holds floating-point numbers."""
    dtype = getattr(array, "dtype", type(array).__name__)
    if getattr(dtype, "kind", None) != "f":
        raise DTypeError(
            f"{name} is of type {dtype}, expected floating-point numbers; "
            f"convert it first, for example np.asarray({name}, dtype=np.float64)."
        )


def expect_integers(name: str, labels: Array, what: str = "class labels") -> None:
    """Raise DTypeError unless `labels` is an array of integers."""
    dtype = getattr(labels, "dtype", type(labels).__name__)
    if getattr(dtype, "kind", None) not in ("i", "u"):
        raise DTypeError(
            f"{name} is of type {dtype}, expected integer {what}; "
            f"convert it first, for example np.asarray({name}, dtype=np.int64)."
        )


def expect_labels(name: str, labels: Array, n_classes: int, *, ignored: int | None = None) -> None:
    """Raise DTypeError or LabelError unless labels are integers in [0, n_classes) or `ignored`."""
    expect_integers(name, labels)
    wrong = (labels < 0) | (labels >= n_classes)
    if ignored is not None:
        wrong &= labels != ignored
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise LabelError(
            f"{name}[{at}] is {int(labels.ravel()[at])}, expected a class from 0 to {n_classes - 1}"
            + (f" or {ignored} (ignored)" if ignored is not None else "")
            + "; check how the labels were read."
        )


def expect_tokens(name: str, tokens: Array, vocabulary_size: int) -> None:
    """Raise DTypeError or TokenError unless tokens are integers in [0, vocabulary_size)."""
    expect_integers(name, tokens, "token ids")
    wrong = (tokens < 0) | (tokens >= vocabulary_size)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        index = ", ".join(str(int(i)) for i in np.unravel_index(at, tokens.shape))
        raise TokenError(
            f"{name}[{index}] is {int(tokens.ravel()[at])}, expected a token id from 0 to "
            f"{vocabulary_size - 1}; was the text encoded with the vocabulary of this model?"
        )


def expect_lengths(name: str, lengths: Array, batch: int, longest: int) -> None:
    """Raise unless `lengths` holds one integer from 1 to `longest` for each of `batch` sequences.

    Raises DTypeError, ShapeError or LengthError.
    """
    expect_integers(name, lengths, "lengths of sequences")
    expect_shape(name, lengths, batch)
    wrong = (lengths < 1) | (lengths > longest)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise LengthError(
            f"{name}[{at}] is {int(lengths[at])}, expected a length from 1 to {longest}: every "
            "sequence needs at least one step, and none is longer than the array that holds it."
        )


def expect_divisible(whole_name: str, whole: int, part_name: str, part: int) -> None:
    """Raise HyperparameterError unless `part` divides `whole`, two counts of 1 or more."""
    expect_count(whole_name, whole)
    expect_count(part_name, part)
    if whole % part:
        raise HyperparameterError(
            f"{whole_name} is {whole} and {part_name} is {part}, expected {whole_name} to be a "
            f"multiple of {part_name}, so that it can be shared out equally."
        )


def expect_count(name: str, value: int) -> None:
    """Raise HyperparameterError unless `value` is a whole number of 1 or more."""
    if not isinstance(value, Integral) or value < 1:
        raise HyperparameterError(f"{name} is {value}, expected a whole number of 1 or more.")


def expect_not_negative(name: str, value: float) -> None:
    """Raise HyperparameterError unless `value` is a number of 0 or more."""
    if not value >= 0:  # NaN is no such number either
        raise HyperparameterError(f"{name} is {value}, expected a number of 0 or more.")
