"""The harness: one component on NumPy, PyTorch and CuPy, compared by name.

Every component faces its judges (`judges_of`): central differences, its PyTorch twin, outside
oracles, and on a GPU its CuPy twin and the reference itself on CuPy arrays; where there is no GPU
the same CuPy twin runs with its CUDA kernels compiled for the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from bigmodel_edu.components import (
    Backend,
    Component,
    FunctionComponent,
    JudgeUnavailable,
    LayerComponent,
    Results,
    Trial,
)
from bigmodel_edu.errors import BookError
from bigmodel_edu.layer import Array, shape_text

# The one tolerance table: largest allowed error of a tensor, relative to its largest element.
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}
FINITE_DIFFERENCE_TOLERANCE = 1e-6  # central differences with step h are off by O(h²) + O(ε/h)
FINITE_DIFFERENCE_STEP = 1e-5
# A tensor whose elements are all smaller than this counts as this large: what is zero in exact
# arithmetic (the gradient of a bias before BatchNorm) is rounding noise in every implementation.
SMALLEST_SCALE = 1e-1

Status = Literal["ok", "failed", "skipped"]


class ParityError(BookError, AssertionError):
    """Two implementations of one component disagree."""


@dataclass(frozen=True)
class Verdict:
    """What one judge says of one component."""

    component: str
    chapter: str
    judge: str
    status: Status
    max_error: float | None
    reason: str

    def as_json(self) -> dict:
        """Return the verdict as a dict that JSON can hold."""
        return asdict(self)


def error_of(actual: Array, expected: Array) -> float:
    """Return max |actual - expected| over the largest |expected|; inf where they cannot compare."""
    if actual.shape != expected.shape:
        return np.inf
    if actual.size == 0:
        return 0.0
    actual, expected = actual.astype(np.float64), expected.astype(np.float64)
    scale = max(np.abs(expected).max(), SMALLEST_SCALE)
    error = float(np.abs(actual - expected).max() / scale)
    return np.inf if np.isnan(error) else error


def compare(
    actual: Results, expected: Results, tolerance: float, *, partial: bool = False
) -> float:
    """Return the largest error over all names; raise ParityError where it is above `tolerance`.

    Both must have the same names, unless `partial`: then `actual` may lack some (an oracle that
    knows outputs only).
    """
    missing = set() if partial else expected.keys() - actual.keys()
    unexpected = actual.keys() - expected.keys()
    if missing or unexpected or not actual:
        raise ParityError(
            f"the answers have other names: missing {sorted(missing)}, unexpected "
            f"{sorted(unexpected)}."
        )
    errors = {name: error_of(actual[name], expected[name]) for name in actual}
    worst = max(errors, key=errors.__getitem__)
    if not errors[worst] <= tolerance:
        raise ParityError(_disagreement(worst, actual[worst], expected[worst], errors[worst]))
    return errors[worst]


def _disagreement(name: str, actual: Array, expected: Array, error: float) -> str:
    if actual.shape != expected.shape:
        return (
            f"{name!r} has shape {shape_text(actual.shape)}, expected {shape_text(expected.shape)}."
        )
    difference = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    at = np.unravel_index(np.argmax(np.nan_to_num(difference, nan=np.inf)), difference.shape)
    where = f"[{', '.join(map(str, at))}]" if at else ""
    return (
        f"{name!r} is off by {error:.1e}; worst at {name}{where}: "
        f"{actual[at]:.10g}, expected {expected[at]:.10g}."
    )


def reference_backend(component: Component) -> Backend:
    """Return the NumPy reference."""
    return Backend(component.implementation("reference"))


def cupy_backend(component: Component, kind: Literal["reference", "cupy_impl"]) -> Backend:
    """Return the CuPy twin, or the reference itself, on CuPy arrays."""
    if reason := no_gpu():
        raise JudgeUnavailable(reason)
    import cupy

    return Backend(component.implementation(kind), cupy.asarray, cupy.asnumpy)


def cuda_on_cpu_backend(component: Component) -> Backend:
    """Return the CuPy twin with NumPy in CuPy's place and its kernels compiled for the CPU."""
    from bigmodel_edu.cuda import on_cpu

    if reason := on_cpu.unavailable():
        raise JudgeUnavailable(reason)
    return Backend(on_cpu.twin_module(f"bigmodel_edu.{component.chapter}"))


def no_gpu() -> str | None:
    """Return why CuPy cannot compute here, or None when it can."""
    try:
        import cupy
    except ImportError:
        return "CuPy is not installed; on a machine with an NVIDIA GPU: pip install -e '.[gpu]'"
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"CuPy sees no GPU ({error})"
    return None


def finite_differences(component: LayerComponent, trial: Trial, *, directions: int = 3) -> float:
    """Hold every gradient of the reference against central differences along random directions."""
    backend = reference_backend(component)
    gradients = component.run(backend, trial)
    rng = np.random.default_rng(0)
    worst = 0.0
    for group, prefix in (("inputs", "d"), ("params", "grad ")):
        for name, value in getattr(trial, group).items():
            gradient = gradients.get(prefix + name)
            if gradient is None:  # an integer input, or a running statistic
                if group == "inputs" and value.dtype.kind == "f":
                    raise ParityError(f"{prefix + name!r} is missing from what backward returned.")
                continue
            if gradient.shape != value.shape:
                raise ParityError(_disagreement(prefix + name, gradient, value, np.inf))
            for _ in range(directions):
                direction = rng.normal(size=value.shape)
                expected = _slope(component, backend, trial, group, name, direction)
                actual = (gradient * direction).sum()
                error = compare(
                    {prefix + name: actual},
                    {prefix + name: expected},
                    FINITE_DIFFERENCE_TOLERANCE,
                )
                worst = max(worst, error)
    return worst


def _slope(
    component: LayerComponent,
    backend: Backend,
    trial: Trial,
    group: str,
    name: str,
    direction: Array,
) -> Array:
    """Return the derivative of Σ ⟨upstream, output⟩ as an array of the trial moves along a line."""
    layer = component.build(backend.module)

    def objective(step: float) -> Array:
        arrays = {"inputs": trial.inputs, "params": trial.params}
        arrays[group] = arrays[group] | {name: arrays[group][name] + step * direction}
        y, _ = layer.forward(arrays["params"], *arrays["inputs"].values(), **trial.mode())
        outputs = component.named_outputs(y)
        return sum((trial.upstream[name] * value).sum() for name, value in outputs.items())

    h = FINITE_DIFFERENCE_STEP
    return (objective(h) - objective(-h)) / (2 * h)


def judges_of(component: Component) -> dict[str, Callable[[Trial], float]]:
    """Return the component's judges by name; each takes a trial and returns the largest error.

    A judge raises ParityError when it finds a difference, JudgeUnavailable when it cannot sit here.
    """

    def versus(run: Callable[[Trial], Results], *, partial: bool = False):
        def judge(trial: Trial) -> float:
            answer = run(trial)
            expected = component.run(reference_backend(component), trial)
            return compare(answer, expected, tolerance_of(component, trial), partial=partial)

        return judge

    judges: dict[str, Callable[[Trial], float]] = {}
    if component.is_differentiable:
        judges["finite-differences"] = lambda trial: finite_differences(component, trial)
    if component.has_torch_twin:
        judges["torch"] = versus(component.run_torch)
    for name, oracle in component.oracles.items():
        judges[f"oracle:{name}"] = versus(_as_arrays(oracle), partial=True)
    if not isinstance(component, FunctionComponent) or component.runs_on_cupy:
        judges["reference-on-cupy"] = versus(
            lambda trial: component.run(cupy_backend(component, "reference"), trial)
        )
    if component.has_cupy_twin:
        judges["cupy"] = versus(
            lambda trial: component.run(cupy_backend(component, "cupy_impl"), trial)
        )
        judges["cuda-on-cpu"] = versus(
            lambda trial: component.run(cuda_on_cpu_backend(component), trial)
        )
    return judges


def _as_arrays(oracle: Callable[[Trial], dict]) -> Callable[[Trial], Results]:
    return lambda trial: {name: np.asarray(value) for name, value in oracle(trial).items()}


def tolerance_of(component: Component, trial: Trial) -> float:
    """Return the component's tolerance for the dtype of the trial's floating-point arrays."""
    if component.tolerance is not None:
        return component.tolerance
    arrays = [*trial.inputs.values(), *trial.params.values()]
    dtypes = {str(array.dtype) for array in arrays if array.dtype.kind == "f"}
    return max((TOLERANCE[dtype] for dtype in dtypes), default=TOLERANCE["float64"])


def judge(component: Component, *, seed: int = 0) -> list[Verdict]:
    """Return what every judge says of the component, in float64, on a trial drawn from `seed`."""
    return [_verdict(component, name, seed) for name in judges_of(component)]


def _verdict(component: Component, name: str, seed: int) -> Verdict:
    status: Status
    max_error, reason = None, ""
    try:
        status, max_error = "ok", check(component, name, seed=seed)
    except JudgeUnavailable as unavailable:
        status, reason = "skipped", str(unavailable)
    except ParityError as difference:
        status, reason = "failed", str(difference)
    except Exception as error:  # a broken implementation must not hide the other verdicts
        status, reason = "failed", f"{type(error).__name__}: {error}"
    return Verdict(component.name, component.chapter, name, status, max_error, reason)


def check(component: Component, judge_name: str, *, seed: int = 0) -> float:
    """Put the component before one judge; return the largest error or raise ParityError."""
    judges = judges_of(component)
    if judge_name not in judges:
        raise BookError(
            f"{component.name} has no judge named {judge_name!r}; its judges are "
            f"{', '.join(judges)}."
        )
    return judges[judge_name](component.draw(np.random.default_rng(seed)))
