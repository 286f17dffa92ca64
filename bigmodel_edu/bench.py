"""How long each component takes: the NumPy reference, the twins, and PyTorch's own built-in.

The competitors take turns, round after round, so that a slow moment of the machine falls on all
of them, and the median over the rounds is reported. Arrays are float32, as they are in practice.

On a machine with a GPU three more compete there: the CuPy twin, the reference itself on CuPy
arrays, one launch per operation, and the PyTorch twin. A pass ends when the GPU has finished it.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from statistics import median
from time import perf_counter, sleep
from types import ModuleType
from typing import Any, Literal

import numpy as np
from threadpoolctl import threadpool_info

from bigmodel_edu.components import (
    BenchSize,
    Component,
    LayerComponent,
    OptimizerComponent,
    as_returned,
    as_tuple,
    let_cudnn_train,
)
from bigmodel_edu.layer import Array
from bigmodel_edu.parity import no_gpu

DTYPE = "float32"
ROUNDS = 30
SECONDS = 3.0  # no pass is measured for longer than this
# The threads of one library spin for up to 30 ms after its work, on the cores of the next
# one: each competitor waits until they sleep, and runs once unmeasured to wake its own.
# Where every library has one thread, none spins and nobody waits.
SETTLE = 0.04
ON_CPU = ("numpy", "torch", "builtin")
ON_GPU = ("cupy", "reference_on_cupy", "torch_on_cuda")
Pass = Literal["forward", "forward+backward", "step", "training step"]
Run = Callable[[], Any]


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one pass of one component; None where there is nothing to measure."""

    component: str
    chapter: str
    shape: str
    pass_: Pass
    numpy_ms: float | None
    torch_ms: float | None
    builtin_ms: float | None
    cupy_ms: float | None
    reference_on_cupy_ms: float | None
    torch_on_cuda_ms: float | None
    device: str

    def as_json(self) -> dict:
        """Return the timing as a dict that JSON can hold; `pass_` is called ``pass`` there."""
        return {name.rstrip("_"): value for name, value in vars(self).items()}


@dataclass(frozen=True)
class Place:
    """Where the layer contract runs: a chapter's module, its arrays, and when it has finished."""

    module: ModuleType
    bring: Callable[[Array], Any] = np.asarray
    wait: Run = lambda: None

    def until_done(self, run: Run) -> Run:
        """Return `run`, and then the wait for its end."""
        return _followed_by(run, self.wait)


def run(component: Component, *, rounds: int = ROUNDS) -> list[Timing]:
    """Return the timings of the component, one per pass; none if it has no size to measure."""
    passes = competitors(component).items()
    return [_timing(component, name, runs, rounds) for name, runs in passes]


def run_longest(component: Component, *, rounds: int = ROUNDS) -> Timing:
    """Return the timing of the pass that includes the others, and measure no other."""
    name, runs = list(competitors(component).items())[-1]
    return _timing(component, name, runs, rounds)


def competitors(component: Component) -> dict[Pass, dict[str, Run]]:
    """Return all that compete here, by pass, the longest last, and by name, ready to run."""
    if component.bench is None:
        return {}
    rng = np.random.default_rng(0)
    if isinstance(component, OptimizerComponent):
        return {"step": _optimizer_steps(component, rng)}
    passes: dict[Pass, dict[str, Run]] = {
        "forward": _layer_passes(component, rng, backward=False),
        "forward+backward": _layer_passes(component, rng, backward=True),
    }
    if component.bench.trains_on is not None:
        passes["training step"] = _training_steps(component, rng)
    return passes


def _timing(component: Component, pass_: Pass, runs: dict[str, Run], rounds: int) -> Timing:
    on_cpu = {name: runs[name] for name in ON_CPU if name in runs}
    measured = interleaved_medians(on_cpu, rounds=rounds)
    if on_gpu := {name: runs[name] for name in ON_GPU if name in runs}:
        with plain_float32():  # and no threads to wait for
            measured |= interleaved_medians(on_gpu, rounds=rounds, settle=0)
    columns = {f"{name}_ms": measured.get(name) for name in (*ON_CPU, *ON_GPU)}
    return Timing(
        component.name, component.chapter, component.bench.shape, pass_, device=device(), **columns
    )


def interleaved_medians(
    competitors: dict[str, Run],
    *,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    settle: float | None = None,
) -> dict[str, float]:
    """Return the median milliseconds of each competitor, taking turns for `rounds` rounds."""
    for compete in competitors.values():  # once unmeasured: caches, kernels, threads
        compete()
    if settle is None:
        settle = SETTLE if some_thread_may_spin() else 0
    times: dict[str, list[float]] = {name: [] for name in competitors}
    end = perf_counter() + seconds
    for _ in range(rounds):
        for name, compete in competitors.items():
            sleep(settle)
            compete()
            start = perf_counter()
            compete()
            times[name].append(1e3 * (perf_counter() - start))
        if perf_counter() > end:
            break
    return {name: median(values) for name, values in times.items()}


def some_thread_may_spin() -> bool:
    """Return whether a library that is loaded, PyTorch or NumPy's BLAS, has a second thread."""
    import torch

    pools = [torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())]
    return max(pools) > 1


@contextmanager
def plain_float32() -> Iterator[None]:
    """Let cuDNN multiply in float32, as CuPy does and as PyTorch does elsewhere, not in TF32."""
    import torch

    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def device() -> str:
    """Describe what was measured on: processor, threads, and the GPU if there is one."""
    import torch

    threads = torch.get_num_threads()
    text = f"{processor()}, {threads} thread{'s' * (threads != 1)}, {DTYPE}"
    if torch.cuda.is_available():
        text += f"; {torch.cuda.get_device_name()}"
    return text


def processor() -> str:
    """Return the name of the processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def _places(component: Component) -> dict[str, Place]:
    """Return where the layer contract can run here, by the names of the competitors."""
    reference = component.implementation("reference")
    places = {"numpy": Place(reference)}
    if no_gpu() is None:
        import cupy

        wait = cupy.cuda.get_current_stream().synchronize
        if component.has_cupy_twin:
            places["cupy"] = Place(component.implementation("cupy_impl"), cupy.asarray, wait)
        places["reference_on_cupy"] = Place(reference, cupy.asarray, wait)
    return places


def _torch_devices() -> dict[str, str]:
    """Return where PyTorch can run here, by the names of the competitors."""
    import torch

    return {"torch": "cpu"} | ({"torch_on_cuda": "cuda"} if torch.cuda.is_available() else {})


def _layer_passes(
    component: LayerComponent, rng: np.random.Generator, *, backward: bool
) -> dict[str, Run]:
    size, places = component.bench, _places(component)
    inputs = _as_measured(size.inputs(rng))
    params = _as_measured(size.build(places["numpy"].module).init(rng))
    options = component.mode(inputs)
    first = places.get("cupy", places["numpy"])  # it tells the shapes; a large one fast
    y = _contract_pass(size, first, params, inputs, options, None)()[0]
    upstream = tuple(rng.normal(size=part.shape).astype(DTYPE) for part in as_tuple(y))
    drawn = (params, inputs, options, upstream if backward else None)
    passes = {
        name: place.until_done(_contract_pass(size, place, *drawn))
        for name, place in places.items()
    }
    twin = component.implementation("torch_impl")
    for name, where in _torch_devices().items():
        passes[name] = _torch_pass(size.build(twin), *drawn, where)
    if size.builtin is not None:
        passes["builtin"] = _torch_pass(size.builtin(), *drawn, "cpu")
    return passes


def _as_measured(arrays: dict[str, Array]) -> dict[str, Array]:
    """Return the arrays with floating-point ones as float32."""
    return {
        name: value.astype(DTYPE) if value.dtype.kind == "f" else value
        for name, value in arrays.items()
    }


def _brought(place: Place, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with every array brought to the place."""
    return {n: place.bring(v) if isinstance(v, np.ndarray) else v for n, v in values.items()}


def _contract_pass(size: BenchSize, place: Place, params, inputs, options, upstream) -> Run:
    """Return the layer's pass at the place: forward, and backward if there is an `upstream`."""
    layer, params, options = (
        size.build(place.module),
        _brought(place, params),
        _brought(place, options),
    )
    inputs = tuple(_brought(place, inputs).values())
    dy = None if upstream is None else as_returned(map(place.bring, upstream))

    def one_pass():
        y, cache = layer.forward(params, *inputs, **options)
        return (y, cache) if dy is None else layer.backward(params, cache, dy)

    return one_pass


def _torch_pass(module, params, inputs, options, upstream, where: str) -> Run:
    """Return PyTorch's pass, on the CPU or on the GPU."""
    import torch

    module.load_state_dict({name: torch.tensor(value) for name, value in params.items()})
    module.to(where).train(options.get("training", False))
    let_cudnn_train(module)
    options = {
        name: torch.tensor(v, device=where)
        for name, v in options.items()
        if isinstance(v, np.ndarray)
    }
    tensors = [
        torch.tensor(value, device=where, requires_grad=value.dtype.kind == "f")
        for value in inputs.values()
    ]
    gradients = tuple(torch.tensor(value, device=where) for value in upstream or ())

    def forward_only():
        with torch.no_grad():
            return module(*tensors, **options)

    def both():
        for tensor in (*tensors, *module.parameters()):
            tensor.grad = None
        torch.autograd.backward(flat_outputs(module(*tensors, **options)), gradients)

    return _until_done(forward_only if upstream is None else both, where)


def _until_done(run: Run, where: str) -> Run:
    """Return PyTorch's `run`, and then the wait for its end if it runs on the GPU."""
    import torch

    return run if where == "cpu" else _followed_by(run, torch.cuda.synchronize)


def _followed_by(run: Run, wait: Run) -> Run:
    def both() -> None:
        run()
        wait()

    return both


def flat_outputs(outputs: Any) -> tuple:
    """Return a module's outputs as a flat tuple: PyTorch's own LSTM nests them, y, (h_n, c_n)."""
    nested = (
        flat_outputs(part) if isinstance(part, tuple) else (part,) for part in as_tuple(outputs)
    )
    return tuple(chain.from_iterable(nested))


def _training_steps(component: LayerComponent, rng: np.random.Generator) -> dict[str, Run]:
    """Return a whole step of training, by the contract and in eager PyTorch: forward to update."""
    import torch

    size, places = component.bench, _places(component)
    (x,) = _as_measured(size.inputs(rng)).values()
    labels, one = size.trains_on(rng), np.ones((), DTYPE)
    params = _as_measured(size.build(places["numpy"].module).init(rng))
    twins = component.implementation("torch_impl")

    def contract_step(place: Place) -> Run:
        model, loss, optimizer = (
            size.build(place.module),
            place.module.CrossEntropy(),
            place.module.Adam(),
        )
        weights, images, targets, dy = _brought(place, params), *map(place.bring, (x, labels, one))
        state = optimizer.init(weights)

        def step():
            logits, cache = model.forward(weights, images, training=True)
            _, loss_cache = loss.forward({}, logits, targets)
            (d_logits, _), _ = loss.backward({}, loss_cache, dy)
            _, grads = model.backward(weights, cache, d_logits)
            return optimizer.update(weights, grads, state)

        return place.until_done(step)

    def torch_step(module, where: str) -> Run:
        module.load_state_dict({name: torch.tensor(value) for name, value in params.items()})
        module.to(where)
        adam = twins.Adam().over(module.parameters())
        images, targets = (torch.tensor(value, device=where) for value in (x, labels))

        def step():
            adam.zero_grad()
            torch.nn.functional.cross_entropy(module(images), targets).backward()
            adam.step()

        return _until_done(step, where)

    steps = {name: contract_step(place) for name, place in places.items()}
    for name, where in _torch_devices().items():
        steps[name] = torch_step(size.build(twins), where)
    if size.builtin is not None:
        steps["builtin"] = torch_step(size.builtin(), "cpu")
    return steps


def _optimizer_steps(component: OptimizerComponent, rng: np.random.Generator) -> dict[str, Run]:
    import torch

    size = component.bench
    params = _as_measured(size.inputs(rng))
    grads = {name: rng.normal(size=value.shape).astype(DTYPE) for name, value in params.items()}

    def contract_step(place: Place) -> Run:
        optimizer = size.build(place.module)
        weights, gradients = _brought(place, params), _brought(place, grads)
        state = optimizer.init(weights)
        return place.until_done(lambda: optimizer.update(weights, gradients, state))

    def torch_step(over, where: str) -> Run:
        parameters = {
            name: torch.nn.Parameter(torch.tensor(w, device=where)) for name, w in params.items()
        }
        for name, parameter in parameters.items():
            parameter.grad = torch.tensor(grads[name], device=where)
        return _until_done(over(list(parameters.values())).step, where)

    steps = {name: contract_step(place) for name, place in _places(component).items()}
    twin = size.build(component.implementation("torch_impl"))
    for name, where in _torch_devices().items():
        steps[name] = torch_step(twin.over, where)
    if size.builtin is not None:
        steps["builtin"] = torch_step(size.builtin(), "cpu")
    return steps
