"""Reverse-mode automatic differentiation, small enough to read in one sitting.

A `Variable` holds an array and how it came about: for each parent a function that pulls a gradient
with respect to this array back to one with respect to the parent's. `backward` walks from the
result to the leaves, in an order that reaches a variable only after everything computed from it
(Griewank and Walther 2008, chapter 3).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Pullback = Callable[[np.ndarray], np.ndarray]


class Variable:
    """An array in float64 that remembers its parents; after `backward`, `grad` has its shape."""

    __array_ufunc__ = None  # so that NumPy leaves array + Variable to the methods below

    def __init__(self, value, parents: tuple[tuple[Variable, Pullback], ...] = ()) -> None:
        self.value = np.asarray(value, dtype=np.float64)
        self.parents = parents
        self.grad = np.zeros_like(self.value)

    def __add__(self, other) -> Variable:
        other = _as_variable(other)
        return Variable(self.value + other.value, ((self, lambda g: g), (other, lambda g: g)))

    def __mul__(self, other) -> Variable:
        other = _as_variable(other)
        return Variable(
            self.value * other.value,
            ((self, lambda g: g * other.value), (other, lambda g: g * self.value)),
        )

    def __matmul__(self, other) -> Variable:
        other = _as_variable(other)
        return Variable(
            self.value @ other.value,
            ((self, lambda g: g @ other.value.T), (other, lambda g: self.value.T @ g)),
        )

    def __neg__(self) -> Variable:
        return self * -1

    def __sub__(self, other) -> Variable:
        return self + -_as_variable(other)

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other) -> Variable:
        return -self + other

    def __rmatmul__(self, other) -> Variable:
        return _as_variable(other) @ self

    def relu(self) -> Variable:
        return Variable(np.maximum(self.value, 0), ((self, lambda g: g * (self.value > 0)),))

    def exp(self) -> Variable:
        y = np.exp(self.value)
        return Variable(y, ((self, lambda g: g * y),))

    def log(self) -> Variable:
        return Variable(np.log(self.value), ((self, lambda g: g / self.value),))

    def sum(self, axis: int | None = None) -> Variable:
        y = self.value.sum(axis=axis, keepdims=axis is not None)
        return Variable(y, ((self, lambda g: g * np.ones_like(self.value)),))

    def backward(self) -> None:
        """Add to the `grad` of every ancestor the derivative of the sum of this array by it.

        As in PyTorch, gradients add up from call to call, until you set `grad` to zero.
        """
        flowing = {self: np.ones_like(self.value)}
        for variable in reversed(topological_order(self)):
            gradient = flowing[variable]
            variable.grad = variable.grad + gradient
            for parent, pull_back in variable.parents:
                share = _sum_to(pull_back(gradient), parent.value.shape)
                flowing[parent] = flowing.get(parent, 0) + share


def topological_order(result: Variable) -> list[Variable]:
    """Return `result` and all its ancestors, each once, every parent before its children."""
    order: list[Variable] = []
    seen: set[int] = set()
    stack = [(result, False)]
    while stack:
        variable, parents_are_done = stack.pop()
        if parents_are_done:
            order.append(variable)
        elif id(variable) not in seen:
            seen.add(id(variable))
            stack.append((variable, True))
            stack.extend((parent, False) for parent, _ in variable.parents)
    return order


def _as_variable(value) -> Variable:
    return value if isinstance(value, Variable) else Variable(value)


def _sum_to(gradient: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum over the axes along which broadcasting had repeated an array of that shape."""
    extra = gradient.ndim - len(shape)
    repeated = tuple(i + extra for i, size in enumerate(shape) if size == 1)
    return gradient.sum(axis=(*range(extra), *repeated), keepdims=True).reshape(shape)
