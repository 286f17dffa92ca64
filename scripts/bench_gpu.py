"""What a graphics card does with the book's components at sizes that give it something to do.

`bigmodel bench` measures sizes that suit a CPU; on a card they are over before they have begun.
Here are larger ones, in float32 without TF32, and what the card can do at most. Needs an NVIDIA
card and the extra `gpu`: `python scripts/bench_gpu.py [NAME…] [--json]`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer

from bigmodel_edu import catalogue
from bigmodel_edu.bench import ON_GPU, Run, competitors, device, interleaved_medians, plain_float32
from bigmodel_edu.components import BenchSize, Component
from bigmodel_edu.parity import no_gpu

ROWS, COLUMNS = 8192, 4096  # 128 MiB, more than the cache of any card
HEADS, HEAD = 8, 64
LENGTHS = (1024, 4096, 16384)
ENTITIES, RELATIONS, QUESTIONS, WIDTH = 40_943, 11, 128, 200  # WN18RR
ROUNDS, SECONDS = 20, 1.0
# Their references are loops over small blocks, which suit a CPU; at these sizes they take seconds.
LOOPS = ("flash_attention", "transe_l1", "rotate")


def normal(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    """Return a drawing of numbers from the normal distribution."""
    return lambda rng: rng.standard_normal(shape, dtype=np.float32)


def sized(name: str, shape: str, build: Any = None, **inputs: Callable) -> Component:
    """Return a component with another size to measure."""
    component = catalogue.component(name)
    size = BenchSize(
        shape=shape,
        build=build or component.bench.build,
        inputs=lambda rng: {key: draw(rng) for key, draw in inputs.items()},
    )
    return replace(component, bench=size)


def integers(high: int, *shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    """Return a drawing of integers below `high`."""
    return lambda rng: rng.integers(high, size=shape)


def components() -> Iterator[Component]:
    """Yield the components to measure, each with its size, what the book quotes first."""
    matrix, shape = normal(ROWS, COLUMNS), f"({ROWS}, {COLUMNS})"
    yield sized(
        "neural_nets.linear", f"{shape}→{COLUMNS}", lambda m: m.Linear(COLUMNS, COLUMNS), x=matrix
    )
    yield sized("neural_nets.layer_norm", shape, lambda m: m.LayerNorm(COLUMNS), x=matrix)
    yield sized("neural_nets.softmax", shape, x=matrix)
    for length in LENGTHS:
        drawn = dict.fromkeys("qkv", normal(1, HEADS, length, HEAD))
        for name in ("attention", "flash_attention", "flash_attention_causal"):
            yield sized(f"transformer.{name}", f"(1, {HEADS}, {length}, {HEAD})", **drawn)
    for kind in ("LSTM", "GRU", "RNN"):
        yield sized(
            f"lstm.{kind.lower()}",
            "(64, 256, 512→512)",
            lambda m, kind=kind: getattr(m, kind)(512, 512),
            x=normal(64, 256, 512),
        )
    for name, kind, numbers, options in (
        ("transe_l1", "TransE", 1, {"p": 1}),
        ("transe_l2", "TransE", 1, {"p": 2}),
        ("complex", "ComplEx", 2, {}),
        ("rotate", "RotatE", 2, {}),
    ):
        yield sized(
            f"knowledge_graph.{name}",
            f"({QUESTIONS}, {ENTITIES}, {WIDTH})",
            lambda m, kind=kind, numbers=numbers, options=options: getattr(m, kind)(
                ENTITIES, RELATIONS, WIDTH // numbers, **options
            ),
            sources=integers(ENTITIES, QUESTIONS),
            relations=integers(2 * RELATIONS, QUESTIONS),
        )
    yield sized("neural_nets.adamw", shape, weight=matrix)
    yield sized("neural_nets.cross_entropy", shape, logits=matrix, targets=integers(COLUMNS, ROWS))
    yield sized("neural_nets.gelu", shape, x=matrix)
    yield sized("transformer.rms_norm", shape, lambda m: m.RMSNorm(COLUMNS), x=matrix)
    yield sized(
        "lstm.embedding",
        "(64, 512, 32000→512)",
        lambda m: m.Embedding(32_000, 512),
        tokens=integers(32_000, 64, 512),
    )


def measured(runs: dict[str, Run]) -> dict[str, float]:
    """Return the milliseconds of each."""
    return interleaved_medians(runs, rounds=ROUNDS, seconds=SECONDS, settle=0)


def mebibytes(name: str, run: Run) -> float | None:
    """Return the memory of the card that a run takes beyond what it was given, None if too much."""
    import cupy

    try:
        run()
        if name.startswith("torch"):
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            run()
            return (torch.cuda.max_memory_allocated() - before) / 2**20
        with peak_of_cupy() as peak:
            run()
        return peak.bytes / 2**20
    except (cupy.cuda.memory.OutOfMemoryError, torch.OutOfMemoryError):
        return None
    finally:
        free_memory()


def peak_of_cupy() -> Any:
    """Return a context that sees what CuPy allocates and frees, and keeps the most in `bytes`."""
    import cupy

    class Peak(cupy.cuda.MemoryHook):
        name = "Peak"
        now = bytes = 0

        def malloc_postprocess(self, **about: int) -> None:
            self.now += about["mem_size"]
            self.bytes = max(self.bytes, self.now)

        def free_postprocess(self, **about: int) -> None:
            self.now -= about["mem_size"]

    return Peak()


def rows(names: Sequence[str]) -> Iterator[dict]:
    """Yield all results, a dict each; of `names` only, if there are any."""
    if not names:
        yield from ceilings()
        yield from in_bfloat16()
    for component in components():
        if not names or component.name in names:
            yield from rows_of(component)


def rows_of(component: Component) -> Iterator[dict]:
    """Yield the results of a component, one for each pass; what does not fit has no numbers."""
    for name, runs in competitors(component).items():
        on_gpu = {key: runs[key] for key in ON_GPU if key in runs}
        if component.name.partition(".")[2].startswith(LOOPS):
            on_gpu.pop("reference_on_cupy", None)
        row = {"component": component.name, "shape": component.bench.shape, "pass": name}
        with plain_float32():
            for key, run in list(on_gpu.items()):
                if (memory := mebibytes(key, run)) is None:
                    del on_gpu[key]
                else:
                    row[f"{key}_MiB"] = memory
            row |= {f"{key}_ms": ms for key, ms in measured(on_gpu).items()}
        yield row
    del runs, on_gpu
    free_memory()


def free_memory() -> None:
    """Give the card what CuPy and PyTorch keep of it for later: each needs the other's."""
    import cupy

    cupy.get_default_memory_pool().free_all_blocks()
    torch.cuda.empty_cache()


def in_bfloat16() -> Iterator[dict]:
    """Yield PyTorch's attention in 16 bits, for which its fast kernels are made."""
    for length in LENGTHS:
        shape = (1, HEADS, length, HEAD)
        q, k, v = (
            torch.randn(shape, device="cuda", dtype=torch.bfloat16, requires_grad=True)
            for _ in range(3)
        )
        dy = torch.randn(shape, device="cuda", dtype=torch.bfloat16)

        def forward(q=q, k=k, v=v):
            with torch.no_grad():
                F.scaled_dot_product_attention(q, k, v)
            torch.cuda.synchronize()

        def both(q=q, k=k, v=v, dy=dy):
            F.scaled_dot_product_attention(q, k, v).backward(dy)
            torch.cuda.synchronize()

        for name, run in (("forward", forward), ("forward+backward", both)):
            (ms,) = measured({"torch": run}).values()
            row = {"component": "attention in bfloat16", "shape": str(shape), "pass": name}
            yield row | {"torch_on_cuda_ms": ms, "torch_on_cuda_MiB": mebibytes("torch", run)}


def ceilings() -> Iterator[dict]:
    """Yield what the card can do: floating-point operations, and bytes read and written."""
    n = 8192
    for name, dtype, precision in (
        ("float32", torch.float32, "highest"),
        ("TF32", torch.float32, "high"),
        ("bfloat16", torch.bfloat16, "highest"),
        ("float64", torch.float64, "highest"),
    ):
        a, b = (torch.randn(n, n, device="cuda", dtype=dtype) for _ in range(2))
        torch.set_float32_matmul_precision(precision)
        ms = milliseconds_on_card(lambda a=a, b=b: a @ b)
        torch.set_float32_matmul_precision("highest")
        yield {"ceiling": f"matrix product in {name}", "TFLOP/s": 2 * n**3 / ms / 1e9}
    x = torch.randn(2**28, device="cuda")
    y = torch.empty_like(x)
    ms = milliseconds_on_card(lambda: y.copy_(x))
    yield {"ceiling": "copy, bytes read and written", "TB/s": 2 * x.nbytes / ms / 1e9}
    small = torch.zeros(1, device="cuda")
    yield {
        "ceiling": "one launch and the wait for it",
        "ms": measured({"": lambda: (small.add_(1), torch.cuda.synchronize())})[""],
    }


def milliseconds_on_card(run: Run) -> float:
    """Return the card's own time for one of ten runs, by its events."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    run()
    start.record()
    for _ in range(10):
        run()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 10


def as_line(row: dict) -> str:
    """Return a row as a line of a table: milliseconds and MiB of each competitor."""
    if "ceiling" in row:
        name, (unit, value) = row["ceiling"], list(row.items())[1]
        return f"{name:40} {value:.4g} {unit}"
    line = f"{row['component']:38} {row['shape']:22} {row['pass']:16}"
    for name in ON_GPU:
        if f"{name}_ms" in row:
            line += f" | {row[f'{name}_ms']:8.3f} ms {row[f'{name}_MiB']:7.0f} MiB"
        else:
            line += f" | {'–':>11} {'':11}"
    return line


def main(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each row.")] = False,
) -> None:
    """Measure the components NAME, as transformer.attention; all of them if there is none."""
    if reason := no_gpu():
        raise SystemExit(f"This measures a graphics card: {reason}")
    if as_json:
        print(json.dumps({"device": device()}), flush=True)
    else:
        print(device())
        print(f"{'':78}" + "".join(f" | {name:23}" for name in ON_GPU))
    for row in rows(names or ()):
        print(json.dumps(row) if as_json else as_line(row), flush=True)


if __name__ == "__main__":
    typer.run(main)
