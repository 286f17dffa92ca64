"""What the components of the recurrent layers have in common: inputs, and one strict judge."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from bigmodel_edu.components import BenchSize, Component, LayerComponent, torch_module

from .sizes import HIDDEN, INPUT, STEPS, B, D, H, T


def one_by_one(kind: type[torch.nn.RNNBase], *sizes: int, **options: Any) -> torch.nn.Module:
    """Return PyTorch's recurrent module, which reads each sequence alone, with no padding at all.

    What a padded batch has to give: outputs of the sequence itself, zeros after its end.
    """

    class OneByOne(kind):
        def forward(self, x: torch.Tensor, *states: torch.Tensor, lengths: Any = None) -> tuple:
            answers = []
            for row in range(len(x)):
                own = tuple(state[:, row : row + 1].contiguous() for state in states)
                initial = None if not own else own if len(own) > 1 else own[0]
                end = x.shape[1] if lengths is None else int(lengths[row])
                y, final = super().forward(x[row : row + 1, :end], initial)
                padding = torch.zeros_like(y[:, :1]).expand(-1, x.shape[1] - end, -1)
                final = final if isinstance(final, tuple) else (final,)
                answers.append((torch.cat((y, padding), dim=1), *final))
            y, *finals = zip(*answers, strict=True)
            return torch.cat(y), *(torch.cat(final, dim=1) for final in finals)

    return OneByOne(*sizes, batch_first=True, **options)


def lengths_for(x: np.ndarray) -> np.ndarray:
    """Return lengths from 1 to T for the sequences x (B, T, ...), all different if B ≤ T."""
    n_sequences, steps = x.shape[:2]
    return 1 + (3 * np.arange(n_sequences) + steps - 1) % steps


def sequence_inputs(*states: str, runs: int = 1) -> Callable[[np.random.Generator, int], dict]:
    """Return x (batch, STEPS, INPUT) and initial states (runs, batch, HIDDEN) if any are named."""

    def inputs(rng: np.random.Generator, batch: int) -> dict:
        drawn = {name: rng.normal(size=(runs, batch, HIDDEN)) for name in states}
        return {"x": rng.normal(size=(batch, STEPS, INPUT))} | drawn

    return inputs


def sequence_component(
    name: str,
    kind: str,
    *,
    layers: int = 1,
    both: bool = False,
    with_states: bool = False,
    with_lengths: bool = False,
    bench: BenchSize | None = None,
) -> Component:
    """Return the component of a recurrent layer, judged by PyTorch's on each sequence alone."""
    initial = {"LSTM": ("h_0", "c_0")}.get(kind, ("h_0",))
    gates = {"RNN": 1, "LSTM": 4, "GRU": 3}[kind]
    runs = layers * (2 if both else 1)
    options = {"num_layers": layers, "bidirectional": both}
    derived = {
        *((gates * HIDDEN,) if gates > 1 else (HIDDEN,)),  # one gate alone has a square weight_hh
        *((2 * HIDDEN,) if both and layers > 1 else ()),
        *((runs,) if runs in (1, 4) and with_states else ()),
    }
    return LayerComponent(
        name=f"lstm.{name}",
        build=lambda m: getattr(m, kind)(INPUT, HIDDEN, **options),
        inputs=sequence_inputs(*(initial if with_states else ()), runs=runs),
        mode=lambda inputs: {"lengths": lengths_for(inputs["x"])} if with_lengths else {},
        outputs=("y", *(state.replace("_0", "_n") for state in initial)),
        derived_sizes=tuple(derived),
        oracles={
            f"torch.nn.{kind}": torch_module(
                lambda: one_by_one(getattr(torch.nn, kind), INPUT, HIDDEN, **options)
            )
        },
        bench=bench,
    )


def bench_sequence(kind: str) -> BenchSize:
    """Return the measured size of a recurrent layer."""
    return BenchSize(
        shape=f"({B}, {T}, {D}→{H})",
        build=lambda m: getattr(m, kind)(D, H),
        inputs=lambda rng: {"x": rng.normal(size=(B, T, D))},
        builtin=lambda: getattr(torch.nn, kind)(D, H, batch_first=True),
    )
