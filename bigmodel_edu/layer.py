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

A layer that is made of others is a `Composite`. It declares its parts once, by name, in the order
of the `state_dict`, and runs them by name, in plain sight::

    @dataclass(frozen=True)
    class Classifier(Composite):
        size: int

        def named_parts(self):
            return {"body": Linear(self.size, self.size), "output": Linear(self.size, 10)}

        def forward(self, params, x, *, training=False, rng=None):
            run = ForwardPass(self, params, training=training, rng=rng)
            return run("output", run("body", x)), run.cache()

        def backward(self, params, cache, dy):
            back = BackwardPass(self, params, cache)
            (d_body,) = back("output", dy)
            return back("body", d_body), back.grads

- The parts are built with the composite, so that each checks its own hyperparameters then; a
  composite with checks of its own calls ``super().__post_init__()`` after them. A part is an
  attribute too, ``layer.body``, unless a field has its name.
- A part's parameters have its name and a dot in front, ``body.weight``. The parts that
  ``unprefixed`` names have none: their parameters stand beside the composite's own.
- ``init`` draws the parts' parameters in the order of their declaration, ``updated_buffers``
  collects their running statistics. What a composite has of its own it adds to what these return.
- ``run(name, …)`` runs a part forward and keeps its cache; a part that is ``mode_dependent`` gets
  ``training`` and ``rng``. ``run.cache(…)`` is the composite's cache, with what it needs besides.
- ``back(name, dy)`` runs a part backward, returns the gradients of its inputs and collects those
  of its parameters in ``back.grads``. ``back.own`` is what ``run.cache`` was given.
- A part may run several times, the same dropout or a shared embedding. Its gradients add up, and
  backward undoes its uses from the last to the first. What uses a part's parameters in another
  way, as a tied output layer does, takes them from ``layer.params_of(name, params)`` and gives
  their gradients to ``back.add(name, grads)``.
- A list of layers is declared with ``numbered``, as ``encoder.layers.0``, …; ``layer.names`` lists
  them again.
"""

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any, ClassVar, NamedTuple

import numpy as np

from bigmodel_edu.errors import (
    BookError,
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


class Composite(Layer):
    """Base class of the layers made of others; see the module's docstring."""

    unprefixed: ClassVar[tuple[str, ...]] = ()
    parts: dict[str, Layer]

    def named_parts(self) -> dict[str, Layer]:
        """Return the parts by name, in the order of the `state_dict`."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", self.named_parts())

    def __getattr__(self, name: str) -> Layer:
        parts = self.__dict__.get("parts", {})
        if name in parts:
            return parts[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def init(self, rng: np.random.Generator) -> Params:
        params: Params = {}
        for name, part in self.parts.items():
            params |= self.with_name(name, part.init(rng))
        return params

    def updated_buffers(self, params: Params, cache: Cache) -> Params:
        buffers: Params = {}
        for name, caches in cache.of_parts.items():
            own = self.params_of(name, params)
            for of_use in caches:  # a part that ran twice moved its statistics twice
                new = self.part(name).updated_buffers(own, of_use)
                own = own | new
                buffers |= self.with_name(name, new)
        return buffers

    def part(self, name: str) -> Layer:
        """Return the part of that name; raise BookError if there is none."""
        if name not in self.parts:
            raise BookError(
                f"{type(self).__name__} has no part {name!r}; its parts are "
                f"{', '.join(self.parts) or 'none'}."
            )
        return self.parts[name]

    def names(self, prefix: str) -> list[str]:
        """Return the names of a list of layers, ``prefix.0``, ``prefix.1``, …, in their order."""
        return [name for name in self.parts if name.rpartition(".")[0] == prefix]

    def params_of(self, name: str, params: Params) -> Params:
        """Return a part's parameters by its own names; an unprefixed part sees all of them."""
        return params if name in self.unprefixed else without_prefix(name, params)

    def with_name(self, name: str, arrays: Params) -> Params:
        """Return a part's arrays by the composite's names."""
        return arrays if name in self.unprefixed else with_prefix(name, arrays)


def numbered(name: str, layers: Iterable[Layer]) -> dict[str, Layer]:
    """Return the layers of a list as parts, ``name.0``, ``name.1``, …"""
    return {f"{name}.{i}": layer for i, layer in enumerate(layers)}


class CompositeCache(NamedTuple):
    """What a composite keeps for backward: each part's caches in the order of its uses, its own."""

    of_parts: dict[str, list[Cache]]
    own: tuple


class ForwardPass:
    """One way forward through a composite: runs its parts by name and keeps their caches."""

    def __init__(
        self,
        layer: Composite,
        params: Params,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.layer, self.params = layer, params
        self.mode = {"training": training, "rng": rng}
        self.caches: dict[str, list[Cache]] = {}

    def __call__(self, name: str, *inputs: Any, method: str = "forward", **options: Any) -> Any:
        """Return what the part makes of the inputs.

        `method` may be another method of the part that takes its parameters first, such as `step`;
        it returns what that returns, and keeps nothing for backward.
        """
        part, own = self.layer.part(name), self.layer.params_of(name, self.params)
        if method != "forward":
            return getattr(part, method)(own, *inputs, **options)
        if part.mode_dependent:
            options = self.mode | options
        y, cache = part.forward(own, *inputs, **options)
        self.caches.setdefault(name, []).append(cache)
        return y

    def cache(self, *own: Any) -> CompositeCache:
        """Return the composite's cache: those of the parts so far, and what it needs besides."""
        return CompositeCache(self.caches, own)


class BackwardPass:
    """The way back through a composite: runs its parts by name and collects their gradients."""

    def __init__(self, layer: Composite, params: Params, cache: CompositeCache) -> None:
        self.layer, self.params = layer, params
        self.own = cache.own
        self.grads: Params = {}
        self._to_undo = {name: list(caches) for name, caches in cache.of_parts.items()}

    def __call__(self, name: str, dy: Outputs) -> tuple[Array | None, ...]:
        """Return the gradients of the inputs that the part had in its last use not yet undone."""
        part = self.layer.part(name)
        if not self._to_undo.get(name):
            raise BookError(
                f"backward runs {name!r} of {type(self.layer).__name__} more often than forward "
                "did; every use is undone once."
            )
        cache = self._to_undo[name].pop()
        d_inputs, grads = part.backward(self.layer.params_of(name, self.params), cache, dy)
        self.add(name, grads)
        return d_inputs

    def add(self, name: str, grads: Params) -> None:
        """Add gradients of a part's parameters to those collected so far."""
        for key, grad in self.layer.with_name(name, grads).items():
            self.grads[key] = self.grads[key] + grad if key in self.grads else grad


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


def expect_positive(name: str, value: float) -> None:
    """Raise HyperparameterError unless `value` is a finite number above 0."""
    if not 0 < value < float("inf"):
        raise HyperparameterError(f"{name} is {value}, expected a positive number.")
