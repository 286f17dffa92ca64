"""Cells over whole sequences: layer by layer, in one or both directions, step by step.

Arrays inside are time major, (T, B, ...), so that the batch of one step lies together in memory.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bigmodel_edu.layer import (
    Array,
    Cache,
    Gradients,
    Layer,
    Outputs,
    Params,
    expect_count,
    expect_floats,
    expect_lengths,
    expect_shape,
)
from bigmodel_edu.neural_nets.reference import Dropout

from .cell import RecurrentCell, States

FORWARDS, BACKWARDS = "", "_reverse"


@dataclass(frozen=True)
class RecurrentLayer(Layer):
    """Base class of RNN, LSTM and GRU.

    forward(params, x, *states, lengths=None, training=False, rng=None) returns y and the final
    states. Initial states may be left out, all of them; they are zeros then.

    With `lengths` (B,), what `torch.nn.utils.rnn.pack_padded_sequence` means: the states of a
    sequence stop at its end, its outputs after that are zero, and the backward direction begins
    at its own end. `dropout` acts on the outputs of every layer but the last, in training.

    Shapes: x (B, T, D), y (B, T, K H), each state (L K, B, H), with D = `input_size`,
    H = `hidden_size`, L = `num_layers`, K = 2 if `bidirectional`, else 1; state and parameters of
    layer l and the backward direction have the index K l + 1 and the suffix ``_l{l}_reverse``.
    """

    input_size: int
    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.0
    Cell: ClassVar[type[RecurrentCell]]
    mode_dependent: ClassVar[bool] = True

    def __post_init__(self) -> None:
        expect_count("input_size", self.input_size)
        expect_count("hidden_size", self.hidden_size)
        expect_count("num_layers", self.num_layers)
        Dropout(self.dropout)  # raises if it is no probability

    @property
    def directions(self) -> tuple[str, ...]:
        """The suffixes of the directions in which the sequence is read."""
        return (FORWARDS, BACKWARDS) if self.bidirectional else (FORWARDS,)

    def cell_of(self, layer: int) -> RecurrentCell:
        """Return the cell of a layer: the first reads x, the others the layer below."""
        inputs = self.input_size if layer == 0 else len(self.directions) * self.hidden_size
        return self.Cell(inputs, self.hidden_size)

    def init(self, rng: np.random.Generator) -> Params:
        return {
            f"{name}_l{layer}{direction}": value
            for layer in range(self.num_layers)
            for direction in self.directions
            for name, value in self.cell_of(layer).init(rng).items()
        }

    def forward(
        self,
        params: Params,
        x: Array,
        *states: Array,
        lengths: Array | None = None,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Outputs, Cache]:
        expect_floats("x", x)
        expect_shape("x", x, "B", "T", self.input_size)
        n, steps, _ = x.shape
        if lengths is not None:
            expect_lengths("lengths", lengths, n, steps)
        runs = self.num_layers * len(self.directions)
        states = self.cell_of(0).expect_states(states, x, (runs, n, self.hidden_size), "_0")
        reading = Reading(steps, lengths)

        y, finals, caches = x.swapaxes(0, 1).copy(), [], []
        for layer in range(self.num_layers):
            y, dropped = self._drop_between(y, layer, training, rng)
            outputs = []
            for direction in self.directions:
                index = len(finals)
                output, final, cache = self._run(
                    self._params_of(params, layer, direction),
                    self.cell_of(layer),
                    reading.ordered(y, direction),
                    tuple(state[index] for state in states),
                    reading.running(y),
                )
                outputs.append(reading.ordered(output, direction))
                finals.append(final)
                caches.append(cache)
            y = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=-1)
            caches.append(dropped)
        final_states = tuple(np.stack(of_all) for of_all in zip(*finals, strict=True))
        return (y.swapaxes(0, 1), *final_states), (reading, caches)

    def backward(self, params: Params, cache: Cache, dy: Outputs) -> Gradients:
        reading, caches = cache
        dy, *d_finals = dy
        per_layer = len(self.directions) + 1
        grads: Params = {}
        d_initial = [np.zeros_like(d_final) for d_final in d_finals]
        d_out = dy.swapaxes(0, 1).copy()
        for layer in reversed(range(self.num_layers)):
            own = caches[layer * per_layer : (layer + 1) * per_layer]
            parts = np.split(d_out, len(self.directions), axis=-1)
            d_out = 0
            for k, direction in enumerate(self.directions):
                index = layer * len(self.directions) + k
                dx, d_states, own_grads = self._run_backward(
                    self._params_of(params, layer, direction),
                    self.cell_of(layer),
                    own[k],
                    reading.ordered(parts[k], direction),
                    tuple(d_final[index] for d_final in d_finals),
                )
                d_out = d_out + reading.ordered(dx, direction)
                for d_of_all, d_state in zip(d_initial, d_states, strict=True):
                    d_of_all[index] = d_state
                grads |= {f"{k}_l{layer}{direction}": g for k, g in own_grads.items()}
            (d_out,), _ = Dropout(self.dropout).backward({}, own[-1], d_out)
        return (d_out.swapaxes(0, 1), *d_initial), grads

    def _params_of(self, params: Params, layer: int, direction: str) -> Params:
        suffix = f"_l{layer}{direction}"
        return {name: params[name + suffix] for name in CELL_PARAMETERS}

    def _drop_between(
        self, y: Array, layer: int, training: bool, rng: np.random.Generator | None
    ) -> tuple[Array, Cache]:
        drops = training and layer > 0
        return Dropout(self.dropout).forward({}, y, training=drops, rng=rng)

    def _run(
        self, params: Params, cell: RecurrentCell, x: Array, states: States, running: Array | None
    ) -> tuple[Array, States, Cache]:
        """Walk one cell over x (T, B, D); return its outputs (T, B, H) and the final states."""
        a = cell.project_input(params, x)  # of all steps in one product
        outputs, before, kept = [], [], []
        for t in range(len(x)):
            before.append(states[0])
            new_states, of_step = cell.step(params, a[t], states)
            if running is None:
                outputs.append(new_states[0])
            else:  # where a sequence has ended, its states stay as they are
                new_states = tuple(
                    np.where(running[t], new, old)
                    for new, old in zip(new_states, states, strict=True)
                )
                outputs.append(np.where(running[t], new_states[0], 0))
            states = new_states
            kept.append(of_step)
        return np.stack(outputs), states, (x, np.stack(before), kept, running)

    def _run_backward(
        self, params: Params, cell: RecurrentCell, cache: Cache, dy: Array, d_states: States
    ) -> tuple[Array, States, Params]:
        """Walk back from the last step to the first: backpropagation through time."""
        x, before, kept, running = cache
        da, du = [], []
        for t in reversed(range(len(x))):
            d_new = (d_states[0] + dy[t], *d_states[1:])
            if running is not None:
                d_new = tuple(np.where(running[t], d, 0) for d in d_new)
            da_t, du_t, d_old = cell.step_backward(params, kept[t], d_new)
            if running is not None:  # past its end the gradient passes unchanged
                d_old = tuple(
                    np.where(running[t], d, passing)
                    for d, passing in zip(d_old, d_states, strict=True)
                )
            d_states = d_old
            da.append(da_t)
            du.append(du_t)
        one_product = da[0] is du[0]
        da = np.stack(da[::-1])
        du = da if one_product else np.stack(du[::-1])
        return da @ params["weight_ih"], d_states, cell.gradients(x, before, da, du)


CELL_PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


@dataclass(frozen=True)
class Reading:
    """In which order the T steps of each sequence are read, given the lengths (B,) or None."""

    steps: int
    lengths: Any = None

    def ordered(self, x: Array, direction: str) -> Array:
        """Return x (T, B, ...) in the order of a direction, or bring it back: both are the same.

        Backwards, a sequence of length n is read n - 1, …, 0, and what follows it stays in place.
        """
        if direction == FORWARDS:
            return x
        if self.lengths is None:
            return x[::-1]
        t = np.arange(self.steps, like=x)[:, None]
        order = np.where(t < self.lengths, self.lengths - 1 - t, t)
        return x[order, np.arange(x.shape[1], like=x)]

    def running(self, x: Array) -> Array | None:
        """Return which sequences have not ended at each step (T, B, 1); None where all run on."""
        if self.lengths is None:
            return None
        return (np.arange(self.steps, like=x)[:, None] < self.lengths)[:, :, None]
