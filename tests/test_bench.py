"""The bench measures the right things in the right order; how long they take is not tested."""

import json
import sys
from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from bigmodel_edu import bench, catalogue
from bigmodel_edu.components import (
    Component,
    FunctionComponent,
    LayerComponent,
    OptimizerComponent,
)
from bigmodel_edu.cuda import on_cpu

COMPONENTS = catalogue.components()
TORCH = ("torch", "torch_on_cuda")
KEYS = ["component", "chapter", "shape", "pass"]
KEYS += ["numpy_ms", "torch_ms", "builtin_ms"]
KEYS += ["cupy_ms", "reference_on_cupy_ms", "torch_on_cuda_ms", "device"]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Nothing here competes for the processor."""
    monkeypatch.setattr(bench, "SETTLE", 0)


@pytest.fixture
def pretended_gpu(monkeypatch):
    """Let NumPy and PyTorch on the CPU stand in for CuPy and CUDA, kernels and all."""
    if reason := on_cpu.unavailable():
        pytest.skip(reason)
    cupy, real = on_cpu.StandInCupy(), Component.implementation
    stream = SimpleNamespace(synchronize=lambda: None)
    cupy.cuda = SimpleNamespace(get_current_stream=lambda: stream)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(bench, "no_gpu", lambda: None)
    monkeypatch.setattr(bench, "_torch_devices", lambda: dict.fromkeys(TORCH, "cpu"))
    monkeypatch.setattr(
        Component,
        "implementation",
        lambda self, kind: (
            on_cpu.twin_module(f"bigmodel_edu.{self.chapter}")
            if kind == "cupy_impl"
            else real(self, kind)
        ),
    )


def small(component):
    """Return the component with inputs of its catalogue size in place of the large ones."""
    if isinstance(component, OptimizerComponent):
        return replace(
            component,
            bench=replace(component.bench, inputs=lambda rng: {"weight": np.ones((3, 5))}),
        )
    size = replace(
        component.bench,
        build=component.build,
        inputs=lambda rng: component.inputs(rng, 5),
        builtin=None,
        trains_on=component.bench.trains_on and (lambda rng: rng.integers(0, 2, size=5)),
    )
    return replace(component, bench=size)


MEASURED = [name for name, c in COMPONENTS.items() if c.bench is not None]


@pytest.mark.parametrize("name", MEASURED)
def test_every_competitor_runs(name):
    component = small(COMPONENTS[name])
    timings = bench.run(component, rounds=1)
    layer = isinstance(component, LayerComponent)
    training = ["training step"] * (component.bench.trains_on is not None)
    passes = ["forward", "forward+backward", *training] if layer else ["step"]
    assert [t.pass_ for t in timings] == passes
    for timing in timings:
        assert timing.numpy_ms > 0
        assert timing.torch_ms > 0
        assert timing.chapter == component.chapter
        assert timing.component == name


@pytest.mark.parametrize("name", MEASURED)
def test_every_competitor_of_the_gpu_runs(name, pretended_gpu):
    for timing in bench.run(small(COMPONENTS[name]), rounds=1):
        assert timing.cupy_ms > 0
        assert timing.reference_on_cupy_ms > 0
        assert timing.torch_on_cuda_ms > 0


WITH_BUILTIN = [n for n in MEASURED if COMPONENTS[n].bench.builtin is not None]


@pytest.mark.parametrize(
    "name", [n for n in WITH_BUILTIN if isinstance(COMPONENTS[n], LayerComponent)]
)
def test_the_builtin_takes_the_twins_state(name):
    """PyTorch's own layer must be measured on the same parameters: the same keys and shapes."""
    component = COMPONENTS[name]
    size = component.bench
    twin = size.build(component.implementation("torch_impl"))
    size.builtin().load_state_dict(twin.state_dict(), strict=True)


def test_as_json():
    (timing,) = bench.run(small(COMPONENTS["neural_nets.adam"]), rounds=1)
    as_json = timing.as_json()
    assert list(as_json) == KEYS
    assert json.loads(json.dumps(as_json)) == as_json
    assert as_json["pass"] == "step"


def test_what_is_not_there_is_none(monkeypatch):
    monkeypatch.setattr(bench, "no_gpu", lambda: "no GPU in this test")
    timing, _ = bench.run(small(COMPONENTS["neural_nets.linear"]), rounds=1)
    assert timing.cupy_ms is None
    assert timing.reference_on_cupy_ms is None
    assert timing.builtin_ms is None


def test_the_device_states_its_threads_and_dtype():
    import torch

    assert f"{torch.get_num_threads()} thread" in bench.device()
    assert "float32" in bench.device()


def test_a_component_without_a_size_is_not_measured():
    assert bench.run(FunctionComponent(name="neural_nets.nothing", call=lambda m: 0.0)) == []


@pytest.mark.parametrize(
    ("name", "longest"),
    [("linear", "forward+backward"), ("mlp", "training step"), ("adam", "step")],
)
def test_only_the_longest_pass(name, longest, monkeypatch):
    measured = []
    monkeypatch.setattr(
        bench, "interleaved_medians", lambda runs, **options: measured.append(runs) or {}
    )
    monkeypatch.setattr(bench, "no_gpu", lambda: "no GPU in this test")
    monkeypatch.setattr(bench, "_torch_devices", lambda: {"torch": "cpu"})
    timing = bench.run_longest(small(COMPONENTS[f"neural_nets.{name}"]))
    assert timing.pass_ == longest
    assert len(measured) == 1


# Interleaving


@pytest.mark.parametrize("run", [bench.run, bench.run_longest])
def test_as_many_rounds_as_asked_for(run, monkeypatch, pretended_gpu):
    asked = []
    monkeypatch.setattr(
        bench,
        "interleaved_medians",
        lambda runs, *, rounds, **options: asked.append((list(runs), rounds)) or {},
    )
    run(small(COMPONENTS["neural_nets.linear"]), rounds=7)
    assert {rounds for _, rounds in asked} == {7}
    assert {name for names, _ in asked for name in names} >= {"numpy", "torch", "cupy"}


@pytest.mark.parametrize(
    ("torch_threads", "blas_threads", "pause"), [(1, 1, 0), (2, 1, 0.5), (1, 2, 0.5)]
)
def test_they_wait_where_a_thread_may_spin(torch_threads, blas_threads, pause, monkeypatch):
    import torch

    pauses = []
    monkeypatch.setattr(bench, "SETTLE", 0.5)
    monkeypatch.setattr(bench, "sleep", pauses.append)
    monkeypatch.setattr(torch, "get_num_threads", lambda: torch_threads)
    monkeypatch.setattr(bench, "threadpool_info", lambda: [{"num_threads": blas_threads}])
    bench.interleaved_medians(dict.fromkeys("ab", lambda: None), rounds=3)
    assert pauses == [pause] * 6


def test_the_threads_of_both_libraries_are_seen():
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        with threadpool_limits(limits=1):
            assert not bench.some_thread_may_spin()
        torch.set_num_threads(2)
        assert bench.some_thread_may_spin()
    finally:
        torch.set_num_threads(before)


def test_competitors_take_turns():
    calls = []
    competitors = {name: lambda name=name: calls.append(name) for name in "abc"}
    medians = bench.interleaved_medians(competitors, rounds=4)
    # once unmeasured, then four rounds, each with a run to wake the competitor's threads
    assert "".join(calls) == "abc" + "aabbcc" * 4
    assert list(medians) == ["a", "b", "c"]


def test_the_median_of_each_competitor(monkeypatch):
    """With a clock that only competitors move, the medians are exact."""
    now = [0.0]
    monkeypatch.setattr(bench, "perf_counter", lambda: now[0])

    def taking(*milliseconds):
        measured = [d for duration in milliseconds for d in (0, duration)]
        durations = iter((0, *measured))

        def compete():
            now[0] += next(durations) / 1e3

        return compete

    competitors = {"steady": taking(2, 2, 2), "one bad moment": taking(1, 500, 3)}
    medians = bench.interleaved_medians(competitors, rounds=3, seconds=60)
    assert medians == pytest.approx({"steady": 2.0, "one bad moment": 3.0})


def test_it_stops_after_its_time_with_equal_rounds(monkeypatch):
    monkeypatch.setattr(bench, "perf_counter", count().__next__)  # a second per look
    calls = {"a": 0, "b": 0}

    def run(name):
        calls[name] += 1

    competitors = {name: lambda name=name: run(name) for name in calls}
    bench.interleaved_medians(competitors, rounds=1000, seconds=10)
    assert calls["a"] == calls["b"] < 10
