"""An exercise: gradient checking."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from ..given import CoupledCubic


def numerical_gradient(f, x: Array, h: float = 1e-5) -> Array:
    """Return central differences of the scalar function f at x, element by element."""
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        gradient[i] = (f(x + e) - f(x - e)) / (2 * h)
    return gradient


def _forward_differences(f, x: Array, h: float = 1e-5) -> Array:
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        gradient[i] = (f(x + e) - f(x)) / h
    return gradient


def _all_at_once(f, x: Array, h: float = 1e-5) -> Array:
    return np.full_like(x, (f(x + h) - f(x - h)) / (2 * h))


def _only_the_first_axis(f, x: Array, h: float = 1e-5) -> Array:
    gradient = np.zeros_like(x)
    for i in range(len(x)):
        e = np.zeros_like(x)
        e[i] = h
        gradient[i] = (f(x + e) - f(x - e)) / (2 * h)
    return gradient


def _same_array_up_and_down(f, x: Array, h: float = 1e-5) -> Array:
    gradient, x = np.zeros_like(x), x.copy()
    for i in np.ndindex(x.shape):
        up = down = x
        up[i] += h
        down[i] -= h
        gradient[i] = (f(up) - f(down)) / (2 * h)
    return gradient


def _never_stepping_back(f, x: Array, h: float = 1e-5) -> Array:
    gradient, x = np.zeros_like(x), x.copy()
    for i in np.ndindex(x.shape):
        x[i] += h
        above = f(x)
        x[i] -= 2 * h
        gradient[i] = (above - f(x)) / (2 * h)
    return gradient


def _coupled_cubic(rng: np.random.Generator, shape: tuple[int, ...]) -> CoupledCubic:
    return CoupledCubic(rng.normal(size=shape), float(rng.uniform(0.5, 1)))


def _sharp_bend(rng: np.random.Generator, shape: tuple[int, ...]) -> CoupledCubic:
    """Return a function whose difference quotient at zero, a + 10⁶ a³ h², tells what h was."""
    return CoupledCubic(rng.uniform(0.5, 1.5, size=shape), 1e6)


NUMERICAL_GRADIENT = Exercise(
    name="neural_nets.numerical_gradient",
    title="Checking a gradient",
    points=2,
    stars=2,
    reference=numerical_gradient,
    cases=lambda rng: [
        *(
            Case((_coupled_cubic(rng, shape), rng.normal(size=shape), 1e-2))
            for shape in ((5,), (3, 2), (1,), ())
        ),
        Case(
            (_sharp_bend(rng, (2, 3)), np.zeros((2, 3))),
            note="h is not given, so that the default is taken",
        ),
    ],
    mistakes=(
        Mistake(
            _forward_differences,
            "You took (f(x + h) - f(x)) / h, whose error shrinks only like h. The central "
            "difference (f(x + h) - f(x - h)) / 2h shrinks like h².",
        ),
        Mistake(
            lambda f, x, h=1e-5: 2 * numerical_gradient(f, x, h),
            "You divided by h; the two points are 2h apart.",
        ),
        Mistake(
            lambda f, x, h=1e-5: numerical_gradient(f, x, h) * h * h,
            "`/ 2 * h` divides by 2 and multiplies by h; write / (2 * h).",
        ),
        Mistake(
            _all_at_once,
            "You moved all elements at once, which gives the sum of the gradient. Move one element "
            "at a time.",
        ),
        Mistake(
            _only_the_first_axis,
            "You ran over range(len(x)), the first axis only; np.ndindex(x.shape) runs over all "
            "elements, whatever the number of axes.",
        ),
        Mistake(
            _same_array_up_and_down,
            "`up = x` makes no copy: up and down are the same array, moved up and down again. "
            "Use x.copy().",
        ),
        Mistake(
            _never_stepping_back,
            "After an element is done it stays at x - h, so the next one is measured at another "
            "point. Put it back, or start from a fresh copy each time.",
        ),
    ),
    hints=(
        "np.ndindex(x.shape) runs over all index tuples, whatever the number of axes.",
        "For each index take a copy of x moved up by h there, and another moved down; call f on "
        "both.",
        "gradient[i] = (f(up) - f(down)) / (2 * h), with up = x.copy(); up[i] += h",
    ),
    tolerance=1e-8,
)
