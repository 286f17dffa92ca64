"""The kinds of component, and how to run each of them on every backend.

A component names what belongs together: the class or function of that name in a chapter's
`reference`, `torch_impl` and `cupy_impl`. It draws a `Trial`, the question that every
implementation is asked, and runs an implementation on it; the answer is a dict of named NumPy
arrays, which `parity` compares by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar, Literal

import numpy as np

from bigmodel_edu.errors import BookError
from bigmodel_edu.layer import Array, Layer, Outputs, Params

Results = dict[str, Array]
Layout = Literal["contiguous", "fortran", "strided"]


def arrange(array: Array, layout: Layout) -> Array:
    """Return the same values laid out otherwise in memory (works on NumPy and CuPy arrays)."""
    if layout == "fortran":
        return array.T.copy().T
    if layout == "strided" and array.ndim:
        return np.repeat(array, 2, axis=-1)[..., ::2]
    return array


@dataclass(frozen=True)
class Trial:
    """One question put to every implementation of a component.

    `inputs`, `params` and `upstream` (the gradient of a scalar with respect to each output) are
    contiguous NumPy arrays by name; a backend receives them in `layout`. `mode` makes forward's
    keyword arguments anew for every run, so that a random generator in it starts from the same
    seed.
    """

    inputs: dict[str, Array]
    params: Params = field(default_factory=dict)
    mode: Callable[[], dict[str, Any]] = dict
    upstream: dict[str, Array] = field(default_factory=dict)
    layout: Layout = "contiguous"


@dataclass(frozen=True)
class Backend:
    """Where a component that follows the layer contract runs: a module, and its kind of array."""

    module: ModuleType
    from_numpy: Callable[[Array], Array] = np.asarray
    to_numpy: Callable[[Array], Array] = np.asarray

    def arrays(self, values: Mapping[str, Array], layout: Layout) -> Params:
        """Return the arrays on this backend, laid out as asked."""
        return {name: arrange(self.from_numpy(value), layout) for name, value in values.items()}

    def mode(self, trial: Trial) -> dict[str, Any]:
        """Return forward's keyword arguments, the arrays among them on this backend."""
        return {
            name: self.from_numpy(value) if isinstance(value, np.ndarray) else value
            for name, value in trial.mode().items()
        }

    def results(self, values: Mapping[str, Array]) -> Results:
        """Return the arrays as NumPy arrays."""
        return {name: np.asarray(self.to_numpy(value)) for name, value in values.items()}


class JudgeUnavailable(BookError):
    """A judge cannot sit on this machine; the message says why."""


Oracle = Callable[[Trial], Results]


@dataclass(frozen=True, kw_only=True)
class BenchSize:
    """What `bigmodel bench` measures: a component at a size at which speed matters.

    `build` and `inputs` are those of the component at that size; `builtin` makes PyTorch's own
    fused layer, function or optimizer where there is one. With `trains_on`, integer labels, a whole
    training step is measured too: forward, cross-entropy, backward and Adam.
    """

    shape: str
    build: Callable[[Any], Any]
    inputs: Callable[[np.random.Generator], dict[str, Array]]
    builtin: Callable[[], Any] | None = None
    trains_on: Callable[[np.random.Generator], Array] | None = None


@dataclass(frozen=True, kw_only=True)
class Component(ABC):
    """What every kind of component has: a name, outside oracles, and a way to run."""

    name: str
    oracles: Mapping[str, Oracle] = field(default_factory=dict)
    has_torch_twin: bool = True
    has_cupy_twin: bool = True
    tolerance: float | None = None  # only where two random samples are compared
    bench: BenchSize | None = None
    is_differentiable: ClassVar[bool] = False

    @property
    def chapter(self) -> str:
        """The slug of the chapter that the component belongs to."""
        return self.name.partition(".")[0]

    def implementation(self, kind: Literal["reference", "torch_impl", "cupy_impl"]) -> ModuleType:
        """Return the chapter's module with the implementations of that kind."""
        return import_module(f"bigmodel_edu.{self.chapter}.{kind}")

    @abstractmethod
    def draw(
        self,
        rng: np.random.Generator,
        *,
        batch: int = 5,
        dtype: str = "float64",
        layout: Layout = "contiguous",
    ) -> Trial:
        """Return a random trial with `batch` examples."""

    @abstractmethod
    def run(self, backend: Backend, trial: Trial) -> Results:
        """Run an implementation that follows the layer contract."""

    def run_torch(self, trial: Trial, device: str = "cpu") -> Results:
        """Run the PyTorch twin."""
        raise NotImplementedError(f"{self.name} has no PyTorch twin")


@dataclass(frozen=True, kw_only=True)
class LayerComponent(Component):
    """A layer or a loss: `build(module)` makes it from a chapter's module.

    `inputs` draws the positional arguments of forward, `mode(inputs)` makes its keyword arguments
    for them; `outputs` names what forward returns. Example sizes are distinct primes, so that a
    swapped axis fails, but for `derived_sizes`: products of hyperparameters, such as 4 H for the
    gates of an LSTM, and the sides of square matrices.
    """

    build: Callable[[Any], Any]
    inputs: Callable[[np.random.Generator, int], dict[str, Array]]
    mode: Callable[[Mapping[str, Array]], dict[str, Any]] = lambda inputs: {}
    outputs: tuple[str, ...] = ("y",)
    derived_sizes: tuple[int, ...] = ()
    is_differentiable: ClassVar[bool] = True

    def draw(
        self,
        rng: np.random.Generator,
        *,
        batch: int = 5,
        dtype: str = "float64",
        layout: Layout = "contiguous",
    ) -> Trial:
        layer: Layer = self.build(self.implementation("reference"))
        params = _cast(_shaken(rng, layer.init(rng)), dtype)
        inputs = _cast(self.inputs(rng, batch), dtype)
        mode = partial(self.mode, inputs)
        y, _ = layer.forward(params, *inputs.values(), **mode())
        upstream = {
            name: np.asarray(rng.normal(size=value.shape), dtype=dtype)
            for name, value in self.named_outputs(y).items()
        }
        return Trial(inputs, params, mode, upstream, layout)

    def run(self, backend: Backend, trial: Trial) -> Results:
        layer: Layer = self.build(backend.module)
        params = backend.arrays(trial.params, trial.layout)
        inputs = backend.arrays(trial.inputs, trial.layout)
        upstream = backend.arrays(trial.upstream, trial.layout)
        y, cache = layer.forward(params, *inputs.values(), **backend.mode(trial))
        d_inputs, grads = layer.backward(params, cache, as_returned(upstream.values()))
        return backend.results(
            self.named_outputs(y)
            | {
                f"d{name}": value
                for name, value in zip(inputs, d_inputs, strict=False)
                if value is not None
            }
            | {f"grad {name}": value for name, value in grads.items()}
            | {f"new {name}": v for name, v in layer.updated_buffers(params, cache).items()}
        )

    def run_torch(self, trial: Trial, device: str = "cpu") -> Results:
        return run_torch_module(self.build(self.implementation("torch_impl")), trial, device)

    def named_outputs(self, y: Outputs) -> Results:
        """Return what forward returned, by the names of the outputs."""
        return dict(zip(self.outputs, as_tuple(y), strict=True))


@dataclass(frozen=True, kw_only=True)
class OptimizerComponent(Component):
    """An optimizer, held step by step against the others on the same injected gradients."""

    build: Callable[[Any], Any]
    steps: int = 7

    def draw(
        self,
        rng: np.random.Generator,
        *,
        batch: int = 5,
        dtype: str = "float64",
        layout: Layout = "contiguous",
    ) -> Trial:
        shapes = {"weight": (3, 5), "bias": (7,)}
        params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
        grads = {
            f"{name}@{t}": rng.normal(size=shape)
            for t in range(self.steps)
            for name, shape in shapes.items()
        }
        return Trial(_cast(grads, dtype), _cast(params, dtype), layout=layout)

    def run(self, backend: Backend, trial: Trial) -> Results:
        optimizer = self.build(backend.module)
        params = backend.arrays(trial.params, trial.layout)
        injected = backend.arrays(trial.inputs, trial.layout)
        state = optimizer.init(params)
        results: Results = {}
        for t in range(self.steps):
            grads = {name: injected[f"{name}@{t}"] for name in params}
            params, state = optimizer.update(params, grads, state)
            results |= backend.results({f"{name} after {t + 1}": w for name, w in params.items()})
        slots = {name: value for name, value in state.items() if name != "step"}
        return results | backend.results(slots)

    def run_torch(self, trial: Trial, device: str = "cpu") -> Results:
        return run_torch_optimizer(
            self.build(self.implementation("torch_impl")).over, trial, device
        )


@dataclass(frozen=True, kw_only=True)
class FunctionComponent(Component):
    """A plain function: `call(module, **inputs)` returns a number, an array or a dict of them."""

    call: Callable[..., Any]
    inputs: Callable[[np.random.Generator, int], dict[str, Array]] = lambda rng, batch: {}
    has_torch_twin: bool = False
    has_cupy_twin: bool = False
    runs_on_cupy: bool = True

    def draw(
        self,
        rng: np.random.Generator,
        *,
        batch: int = 5,
        dtype: str = "float64",
        layout: Layout = "contiguous",
    ) -> Trial:
        return Trial(_cast(self.inputs(rng, batch), dtype), layout=layout)

    def run(self, backend: Backend, trial: Trial) -> Results:
        value = self.call(backend.module, **backend.arrays(trial.inputs, trial.layout))
        return backend.results(_named(value))

    def run_torch(self, trial: Trial, device: str = "cpu") -> Results:
        inputs = torch_tensors(trial.inputs, trial.layout, device)
        value = self.call(self.implementation("torch_impl"), **inputs)
        return {name: tensor.detach().cpu().numpy() for name, tensor in _named(value).items()}


def torch_tensors(values: Mapping[str, Array], layout: Layout, device: str) -> dict[str, Any]:
    """Return the arrays as PyTorch tensors on `device`, laid out as asked."""
    import torch

    return {
        # a copy: the optimizers of PyTorch change parameters in place
        name: torch.from_numpy(arrange(value.copy(), layout)).to(device)
        for name, value in values.items()
    }


def run_torch_module(module: Any, trial: Trial, device: str = "cpu") -> Results:
    """Run a `torch.nn.Module` on a trial; its `state_dict` must have exactly the trial's keys."""
    import torch

    dtype = getattr(torch, str(next(iter(trial.upstream.values())).dtype))
    module = module.to(device=device, dtype=dtype)
    state = torch_tensors(trial.params, trial.layout, device)
    module.load_state_dict(state, strict=True)
    mode = trial.mode()
    module.train(mode.pop("training", False))
    let_cudnn_train(module)
    mode.pop("rng", None)
    options = torch_options(mode, device)
    inputs = torch_tensors(trial.inputs, trial.layout, device)
    for tensor in inputs.values():
        tensor.requires_grad_(tensor.is_floating_point())
    outputs = dict(zip(trial.upstream, as_tuple(module(*inputs.values(), **options)), strict=True))
    upstream = torch_tensors(trial.upstream, trial.layout, device)
    torch.autograd.backward(tuple(outputs.values()), tuple(upstream.values()))
    results = outputs | {f"d{name}": x.grad for name, x in inputs.items()}
    results |= {f"grad {name}": p.grad for name, p in module.named_parameters()}
    if module.training:
        results |= {f"new {name}": buffer for name, buffer in module.named_buffers()}
    return {k: t.detach().cpu().numpy() for k, t in results.items() if t is not None}


def let_cudnn_train(module: Any) -> None:
    """Put PyTorch's recurrent layers into training mode, where that changes nothing.

    On a GPU they are cuDNN's, which in evaluation mode keeps nothing for backward and refuses it.
    The two modes differ by the dropout between layers only.
    """
    import torch

    for part in module.modules():
        if isinstance(part, torch.nn.RNNBase) and not part.dropout:
            part.train()


def torch_options(mode: Mapping[str, Any], device: str = "cpu") -> dict[str, Any]:
    """Return forward's keyword arguments with every array in them as a tensor on `device`."""
    arrays = {name: value for name, value in mode.items() if isinstance(value, np.ndarray)}
    return dict(mode) | torch_tensors(arrays, "contiguous", device)


def run_torch_optimizer(over: Callable[..., Any], trial: Trial, device: str = "cpu") -> Results:
    """Run a `torch.optim` optimizer, made by `over(parameters)`, on a trial's gradients.

    All tensors are contiguous, as those of a module are: PyTorch's fused steps take parameter and
    gradient as they lie in memory, and go silently wrong where the two lie differently.
    """
    import torch

    params = {
        name: torch.nn.Parameter(tensor)
        for name, tensor in torch_tensors(trial.params, "contiguous", device).items()
    }
    injected = torch_tensors(trial.inputs, "contiguous", device)
    optimizer = over(params.values())
    results: Results = {}
    for t in range(len(injected) // len(params)):
        for name, parameter in params.items():
            parameter.grad = injected[f"{name}@{t}"]
        optimizer.step()
        results |= {
            f"{name} after {t + 1}": p.detach().cpu().numpy().copy() for name, p in params.items()
        }
    for name, parameter in params.items():
        slots = {k: v for k, v in optimizer.state[parameter].items() if k != "step"}
        results |= {f"{slot}.{name}": value.cpu().numpy() for slot, value in slots.items()}
    return results


def as_tuple(outputs: Any) -> tuple:
    """Return what forward returned as a tuple: of one output, or of several."""
    return outputs if isinstance(outputs, tuple) else (outputs,)


def as_returned(values: Iterable[Any]) -> Any:
    """Return the values as forward would return them: one alone, or a tuple of several."""
    values = tuple(values)
    return values[0] if len(values) == 1 else values


def torch_module(make: Callable[[], Any]) -> Oracle:
    """Return an oracle that runs PyTorch's own module."""
    return lambda trial: run_torch_module(make(), trial)


def outputs(function: Callable[..., Any]) -> Oracle:
    """Return an oracle that knows outputs only: `function(*inputs)`."""
    return lambda trial: _named(function(*trial.inputs.values()))


def _named(value: Any) -> Results:
    """Give the answer of a function names: a dict keeps its own, anything else is y."""
    return value if isinstance(value, dict) else {"y": value}


def _cast(arrays: Mapping[str, Array], dtype: str) -> Params:
    """Return the arrays with floating-point ones cast to `dtype`, integer ones left alone."""
    return {
        name: array.astype(dtype) if array.dtype.kind == "f" else array
        for name, array in arrays.items()
    }


def _shaken(rng: np.random.Generator, params: Params) -> Params:
    """Return the parameters with every float moved at random: a bias of zeros would hide a bug."""
    return {
        name: value * rng.uniform(0.5, 2, value.shape) + rng.uniform(0, 0.5, value.shape)
        if value.dtype.kind == "f"
        else value
        for name, value in params.items()
    }
