"""What the cells of the recurrent networks have in common: one step, forwards and backwards.

Every cell computes two products, one of the input and one of the state,

    a = x W_ihᵀ + b_ih   and   u = h W_hhᵀ + b_hh,

each (B, G H) with G parts for the gates, and then something elementwise. A sequence layer
computes `a` for all steps at once, which is why the two are apart.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bigmodel_edu.errors import ShapeError
from bigmodel_edu.layer import (
    Array,
    Cache,
    Gradients,
    Layer,
    Outputs,
    Params,
    expect_count,
    expect_floats,
    expect_shape,
)

from .initialization import uniform_by_width

States = tuple[Array, ...]


@dataclass(frozen=True)
class RecurrentCell(Layer):
    """Base class of the cells: parameters, checks, and the linear part of forward and backward.

    Shapes: x (B, D), each state (B, H), weight_ih (G H, D), weight_hh (G H, H), bias_ih and bias_hh
    (G H,), with D = `input_size`, H = `hidden_size`. Everything starts from U(-1/√H, 1/√H).
    """

    input_size: int
    hidden_size: int
    n_gates: ClassVar[int] = 1
    state_names: ClassVar[tuple[str, ...]] = ("h",)

    def __post_init__(self) -> None:
        expect_count("input_size", self.input_size)
        expect_count("hidden_size", self.hidden_size)

    def init(self, rng: np.random.Generator) -> Params:
        rows, h = self.n_gates * self.hidden_size, self.hidden_size
        shapes = {
            "weight_ih": (rows, self.input_size),
            "weight_hh": (rows, h),
            "bias_ih": (rows,),
            "bias_hh": (rows,),
        }
        return {name: uniform_by_width(rng, shape, h) for name, shape in shapes.items()}

    def forward(self, params: Params, x: Array, *states: Array) -> tuple[Outputs, Cache]:
        expect_floats("x", x)
        expect_shape("x", x, "B", self.input_size)
        states = self.expect_states(states, x, (len(x), self.hidden_size))
        new_states, kept = self.step(params, self.project_input(params, x), states)
        return (new_states if len(new_states) > 1 else new_states[0]), (x, states[0], kept)

    def backward(self, params: Params, cache: Cache, dy: Outputs) -> Gradients:
        x, h, kept = cache
        d_new = dy if isinstance(dy, tuple) else (dy,)
        da, du, d_states = self.step_backward(params, kept, d_new)
        return (da @ params["weight_ih"], *d_states), self.gradients(x, h, da, du)

    def expect_states(
        self, states: States, x: Array, shape: tuple[int, ...], suffix: str = ""
    ) -> States:
        """Return the states, zeros where none were given; raise if their shapes do not fit."""
        if not states or all(state is None for state in states):
            return tuple(np.zeros(shape, dtype=x.dtype, like=x) for _ in self.state_names)
        names = [f"{name}{suffix}" for name in self.state_names]
        if len(states) != len(names):
            raise ShapeError(
                f"{type(self).__name__} was given {len(states)} initial "
                f"state{'s' * (len(states) != 1)}, expected {', '.join(names)} or none of them."
            )
        for name, state in zip(names, states, strict=True):
            expect_floats(name, state)
            expect_shape(name, state, *shape)
        return states

    def project_input(self, params: Params, x: Array) -> Array:
        """Return a = x W_ihᵀ + b_ih of inputs x (..., D)."""
        return x @ params["weight_ih"].T + params["bias_ih"]

    def step(self, params: Params, a: Array, states: States) -> tuple[States, Cache]:
        """Return the new states, given a and the old ones, and what step_backward needs."""
        raise NotImplementedError

    def step_backward(
        self, params: Params, kept: Cache, d_new: States
    ) -> tuple[Array, Array, States]:
        """Return da, du and the gradients of the old states."""
        raise NotImplementedError

    def gradients(self, x: Array, h: Array, da: Array, du: Array) -> Params:
        """Return the parameters' gradients, summed over all rows of x (..., D) and h (..., H)."""
        da_rows, du_rows = (d.reshape(-1, self.n_gates * self.hidden_size) for d in (da, du))
        return {
            "weight_ih": da_rows.T @ x.reshape(-1, self.input_size),
            "weight_hh": du_rows.T @ h.reshape(-1, self.hidden_size),
            "bias_ih": da_rows.sum(axis=0),
            "bias_hh": du_rows.sum(axis=0),
        }
