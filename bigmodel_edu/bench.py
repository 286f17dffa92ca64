"""How long each component takes: the NumPy reference, the twins, and PyTorch's own built-in.

The competitors take turns, round after round, so that a slow moment of the machine falls on all
of them, and the median over the rounds is reported. Arrays are float32, as they are in practice.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from statistics import median
from time import perf_counter, sleep
from typing import Any, Literal

import numpy as np

from bigmodel_edu.components import (
    Component,
    LayerComponent,
    OptimizerComponent,
    as_returned,
    as_tuple,
)
from bigmodel_edu.parity import no_gpu

DTYPE = "float32"
ROUNDS = 30
SECONDS = 3.0  # no pass is measured for longer than this
# The threads of one library spin for up to 30 ms after its work, on the cores of the next
# one: each competitor waits until they sleep, and runs once unmeasured to wake its own.
SETTLE = 0.04
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
    device: str

    def as_json(self) -> dict:
        """Return the timing as a dict that JSON can hold; `pass_` is called ``pass`` there."""
        return {name.rstrip("_"): value for name, value in vars(self).items()}


def run(component: Component) -> list[Timing]:
    """Return the timings of the component, one per pass; none if it has no size to measure."""
    if component.bench is None:
        return []
    rng = np.random.default_rng(0)
    if isinstance(component, OptimizerComponent):
        passes: dict[Pass, dict[str, Run]] = {"step": _optimizer_steps(component, rng)}
    else:
        passes = {
            "forward": _layer_passes(component, rng, backward=False),
            "forward+backward": _layer_passes(component, rng, backward=True),
        }
        if component.bench.trains_on is not None:
            passes["training step"] = _training_steps(component, rng)
    return [_timing(component, name, competitors) for name, competitors in passes.items()]


def _timing(component: Component, pass_: Pass, competitors: dict[str, Run]) -> Timing:
    measured = interleaved_medians(competitors)
    columns = {f"{name}_ms": measured.get(name) for name in ("numpy", "torch", "builtin", "cupy")}
    return Timing(
        component.name, component.chapter, component.bench.shape, pass_, device=device(), **columns
    )


def interleaved_medians(
    competitors: dict[str, Run], *, rounds: int = ROUNDS, seconds: float = SECONDS
) -> dict[str, float]:
    """Return the median milliseconds of each competitor, taking turns for `rounds` rounds."""
    for compete in competitors.values():  # once unmeasured: caches, kernels, threads
        compete()
    times: dict[str, list[float]] = {name: [] for name in competitors}
    end = perf_counter() + seconds
    for _ in range(rounds):
        for name, compete in competitors.items():
            sleep(SETTLE)
            compete()
            start = perf_counter()
            compete()
            times[name].append(1e3 * (perf_counter() - start))
        if perf_counter() > end:
            break
    return {name: median(values) for name, values in times.items()}


def device() -> str:
    """Describe what was measured on: processor, threads, and the GPU if there is one."""
    import torch

    threads = torch.get_num_threads()
    text = f"{_processor()}, {threads} thread{'s' * (threads != 1)}, {DTYPE}"
    if no_gpu() is None:
        import cupy

        text += f"; {cupy.cuda.runtime.getDeviceProperties(0)['name'].decode()}"
    return text


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def _layer_passes(
    component: LayerComponent, rng: np.random.Generator, *, backward: bool
) -> dict[str, Run]:
    size = component.bench
    inputs = {
        name: value.astype(DTYPE) if value.dtype.kind == "f" else value
        for name, value in size.inputs(rng).items()
    }
    layer = size.build(component.implementation("reference"))
    params = {
        name: value.astype(DTYPE) if value.dtype.kind == "f" else value
        for name, value in layer.init(rng).items()
    }
    mode = partial(component.mode, inputs)
    y, _ = layer.forward(params, *inputs.values(), **mode())
    upstream = as_returned(rng.normal(size=part.shape).astype(DTYPE) for part in as_tuple(y))
    arrays = (params, tuple(inputs.values()), upstream)
    competitors = {"numpy": _contract_pass(layer, *arrays, mode, backward)}
    competitors["torch"] = _torch_pass(
        size.build(component.implementation("torch_impl")), *arrays, mode, backward
    )
    if size.builtin is not None:
        competitors["builtin"] = _torch_pass(size.builtin(), *arrays, mode, backward)
    if component.has_cupy_twin and no_gpu() is None:
        competitors["cupy"] = _cupy_pass(component, *arrays, mode, backward)
    return competitors


def _contract_pass(layer, params, inputs, upstream, mode, backward: bool) -> Run:
    def forward_only():
        return layer.forward(params, *inputs, **mode())

    def both():
        _, cache = layer.forward(params, *inputs, **mode())
        return layer.backward(params, cache, upstream)

    return both if backward else forward_only


def _cupy_pass(component, params, inputs, upstream, mode, backward: bool) -> Run:
    import cupy

    layer = component.bench.build(component.implementation("cupy_impl"))
    run_pass = _contract_pass(
        layer,
        {name: cupy.asarray(value) for name, value in params.items()},
        tuple(cupy.asarray(value) for value in inputs),
        as_returned(map(cupy.asarray, as_tuple(upstream))),
        mode,
        backward,
    )

    def synchronized():
        run_pass()
        cupy.cuda.get_current_stream().synchronize()

    return synchronized


def _torch_pass(module, params, inputs, upstream, mode, backward: bool) -> Run:
    """Return PyTorch's pass, on the GPU when there is one (as the CuPy twin is)."""
    import torch

    module.load_state_dict({name: torch.tensor(value) for name, value in params.items()})
    module.train(mode().get("training", False))
    options = {n: torch.tensor(v) for n, v in mode().items() if isinstance(v, np.ndarray)}
    tensors = [torch.tensor(value).requires_grad_(value.dtype.kind == "f") for value in inputs]
    gradients = tuple(map(torch.tensor, as_tuple(upstream)))

    def forward_only():
        with torch.no_grad():
            return module(*tensors, **options)

    def both():
        for tensor in (*tensors, *module.parameters()):
            tensor.grad = None
        torch.autograd.backward(flat_outputs(module(*tensors, **options)), gradients)

    return both if backward else forward_only


def flat_outputs(outputs: Any) -> tuple:
    """Return a module's outputs as a flat tuple: PyTorch's own LSTM nests them, y, (h_n, c_n)."""
    nested = (
        flat_outputs(part) if isinstance(part, tuple) else (part,) for part in as_tuple(outputs)
    )
    return tuple(chain.from_iterable(nested))


def _training_steps(component: LayerComponent, rng: np.random.Generator) -> dict[str, Run]:
    """Return a whole step of training in NumPy and in eager PyTorch: forward to update."""
    import torch

    size = component.bench
    (x,) = (value.astype(DTYPE) for value in size.inputs(rng).values())
    labels = size.trains_on(rng)
    reference, twins = (component.implementation(kind) for kind in ("reference", "torch_impl"))
    model, loss, optimizer = size.build(reference), reference.CrossEntropy(), reference.Adam()
    params = {name: value.astype(DTYPE) for name, value in model.init(rng).items()}
    state, one = optimizer.init(params), np.ones((), DTYPE)

    def numpy_step():
        logits, cache = model.forward(params, x, training=True)
        _, loss_cache = loss.forward({}, logits, labels)
        (d_logits, _), _ = loss.backward({}, loss_cache, one)
        _, grads = model.backward(params, cache, d_logits)
        return optimizer.update(params, grads, state)

    def torch_step_of(module) -> Run:
        module.load_state_dict({name: torch.tensor(value) for name, value in params.items()})
        adam, images, targets = (
            twins.Adam().over(module.parameters()),
            *map(torch.tensor, (x, labels)),
        )

        def step():
            adam.zero_grad()
            torch.nn.functional.cross_entropy(module(images), targets).backward()
            adam.step()

        return step

    competitors = {"numpy": numpy_step, "torch": torch_step_of(size.build(twins))}
    if size.builtin is not None:
        competitors["builtin"] = torch_step_of(size.builtin())
    return competitors


def _optimizer_steps(component: OptimizerComponent, rng: np.random.Generator) -> dict[str, Run]:
    import torch

    size = component.bench
    params = {name: value.astype(DTYPE) for name, value in size.inputs(rng).items()}
    grads = {name: rng.normal(size=value.shape).astype(DTYPE) for name, value in params.items()}

    def torch_step(over) -> Run:
        parameters = {name: torch.nn.Parameter(torch.tensor(w)) for name, w in params.items()}
        for name, parameter in parameters.items():
            parameter.grad = torch.tensor(grads[name])
        return over(list(parameters.values())).step

    competitors = {
        "numpy": _contract_step(size.build(component.implementation("reference")), params, grads),
        "torch": torch_step(size.build(component.implementation("torch_impl")).over),
    }
    if size.builtin is not None:
        competitors["builtin"] = torch_step(size.builtin())
    if no_gpu() is None:
        competitors["cupy"] = _cupy_step(component, params, grads)
    return competitors


def _contract_step(optimizer, params, grads) -> Run:
    state = optimizer.init(params)
    return lambda: optimizer.update(params, grads, state)


def _cupy_step(component, params, grads) -> Run:
    import cupy

    step = _contract_step(
        component.bench.build(component.implementation("cupy_impl")),
        {name: cupy.asarray(value) for name, value in params.items()},
        {name: cupy.asarray(value) for name, value in grads.items()},
    )

    def synchronized():
        step()
        cupy.cuda.get_current_stream().synchronize()

    return synchronized
