"""An exercise: one step of Adam."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from ..reference import Adam


def adam_step(
    w: Array, g: Array, m: Array, v: Array, t: int, lr: float = 1e-3
) -> tuple[Array, Array, Array]:
    """Return w, m and v after step t = 1, 2, … of Adam with β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸."""
    w, (m, v) = Adam(lr=lr).step(w, g, (m, v), t, lr)
    return w, m, v


def _moments(g, m, v):
    return 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g


def _adam_without_correction(w, g, m, v, t, lr=1e-3):
    m, v = _moments(g, m, v)
    return w - lr * m / (np.sqrt(v) + 1e-8), m, v


def _adam_counting_one_step_too_many(w, g, m, v, t, lr=1e-3):
    return adam_step(w, g, m, v, t + 1, lr)


def _adam_with_eps_inside_the_root(w, g, m, v, t, lr=1e-3):
    m, v = _moments(g, m, v)
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
    return w - lr * m_hat / np.sqrt(v_hat + 1e-8), m, v


def _adam_with_betas_exchanged(w, g, m, v, t, lr=1e-3):
    m, v = 0.999 * m + 0.001 * g, 0.9 * v + 0.1 * g * g
    m_hat, v_hat = m / (1 - 0.999**t), v / (1 - 0.9**t)
    return w - lr * m_hat / (np.sqrt(v_hat) + 1e-8), m, v


def _adam_uphill(w, g, m, v, t, lr=1e-3):
    m, v = _moments(g, m, v)
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
    return w + lr * m_hat / (np.sqrt(v_hat) + 1e-8), m, v


def _adam_storing_corrected(w, g, m, v, t, lr=1e-3):
    m, v = _moments(g, m, v)
    m, v = m / (1 - 0.9**t), v / (1 - 0.999**t)
    return w - lr * m / (np.sqrt(v) + 1e-8), m, v


def _adam_without_root(w, g, m, v, t, lr=1e-3):
    m, v = _moments(g, m, v)
    return w - lr * m / (1 - 0.9**t) / (v / (1 - 0.999**t) + 1e-8), m, v


def _adam_cases(rng: np.random.Generator) -> list[Case]:
    def case(shape: tuple[int, ...], t: int, note: str, *lr: float, scale: float = 1.0) -> Case:
        w, g = rng.normal(size=(2, *shape))
        m, v = 0.1 * rng.normal(size=shape), 0.01 * rng.random(shape)
        moments = (np.zeros(shape), np.zeros(shape)) if t == 1 else (m, scale**2 * v)
        return Case((w, scale * g, *moments, t, *lr), note=note)

    return [
        case((5, 7), 1, "the first step", 0.5),
        case((3,), 2, "the second step", 0.5),
        case((2, 3), 100, "the hundredth step", 0.5),
        case((11,), 3, "tiny gradients", 0.5, scale=1e-4),
        case((7,), 5, "the default learning rate"),
    ]


ADAM_STEP = Exercise(
    name="neural_nets.adam_step",
    title="Adam and its bias correction",
    points=2,
    stars=2,
    parts=("w", "m", "v"),
    reference=adam_step,
    cases=_adam_cases,
    mistakes=(
        Mistake(
            _adam_without_correction,
            "The bias correction is missing: m and v start at zero, so early on they are too "
            "small, v much more than m. Divide them by 1 - βᵗ.",
        ),
        Mistake(
            _adam_counting_one_step_too_many,
            "You corrected with t + 1; t already counts this step, from 1.",
        ),
        Mistake(
            _adam_with_eps_inside_the_root,
            "ε stands outside the root: √v̂ + ε. Inside, it would swallow small gradients.",
        ),
        Mistake(
            _adam_without_root,
            "The root is missing: divide by √v̂ + ε. v is an average of squares, so that v̂ itself "
            "has the unit of a squared gradient.",
        ),
        Mistake(
            _adam_with_betas_exchanged,
            "You exchanged β₁ and β₂: m, the average of g, has 0.9, and v has 0.999.",
        ),
        Mistake(
            lambda w, g, m, v, t, lr=1e-3: adam_step(w, g, m, v, t),
            "The learning rate that is passed as `lr` is not used.",
        ),
        Mistake(
            _adam_uphill,
            "The step goes uphill: w - η m̂ / (√v̂ + ε), with a minus.",
        ),
        Mistake(
            _adam_storing_corrected,
            "You returned the corrected moments. The state keeps the raw m and v; m̂ and v̂ are made "
            "from them anew in each step.",
        ),
    ),
    hints=(
        "Update the two moving averages first, then correct copies of them, then step.",
        "m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ); the state that you return is m and v.",
        "w - lr * m_hat / (np.sqrt(v_hat) + eps)",
    ),
)
