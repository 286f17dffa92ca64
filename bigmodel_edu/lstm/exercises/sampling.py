"""An exercise: sampling at a temperature."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array
from bigmodel_edu.neural_nets.reference import softmax


def temperature_probabilities(logits: Array, temperature: float) -> Array:
    """Return softmax(logits / temperature) along the last axis."""
    return softmax(logits / temperature)


def _naive_temperature(logits: Array, temperature: float) -> Array:
    with np.errstate(all="ignore"):
        powers = np.exp(logits / temperature)
        return powers / powers.sum(axis=-1, keepdims=True)


def _one_maximum_for_all(logits: Array, temperature: float) -> Array:
    return _naive_temperature(logits - logits.max(), temperature)


def _one_total_for_all(logits: Array, temperature: float) -> Array:
    powers = np.exp(logits / temperature - (logits / temperature).max(axis=-1, keepdims=True))
    return powers / powers.sum()


def _total_without_keepdims(logits: Array, temperature: float) -> Array:
    powers = np.exp(logits / temperature - (logits / temperature).max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1)


def _maximum_without_keepdims(logits: Array, temperature: float) -> Array:
    with np.errstate(all="ignore"):
        powers = np.exp(logits / temperature - (logits / temperature).max(axis=-1))
        return powers / powers.sum(axis=-1)


_OVER_THE_WHOLE_ARRAY = "You normalised over the whole array, not over each row."
_LOST_AXIS = (
    "A maximum or a sum over the last axis loses that axis, and NumPy lines its numbers up with "
    "the columns. keepdims=True keeps one number for each row, in its place."
)

TEMPERATURE_PROBABILITIES = Exercise(
    name="lstm.temperature_probabilities",
    title="Sampling at a temperature",
    points=1,
    stars=1,
    reference=temperature_probabilities,
    cases=lambda rng: [
        Case((rng.normal(size=7), 0.5), note="colder"),
        Case((2 * rng.normal(size=(3, 5)), 2.0), note="hotter, three rows"),
        Case((np.array([[100.0, 99.0, -50.0]]) + rng.normal(), 0.05), note="large logits, cold"),
        Case((np.concatenate([[1200.0], rng.normal(size=2)]), 1.0), note="a huge logit"),
        Case(
            (np.array([[1500.0, 1499.0], [1.0, 0.0]]) + rng.normal(size=(2, 2)), 1.0),
            note="one row far above the other",
        ),
    ],
    mistakes=(
        Mistake(
            lambda logits, temperature: softmax(logits * temperature),
            "You multiplied by the temperature. Dividing is right: a low temperature makes the "
            "differences of the logits larger, and the choice surer.",
        ),
        Mistake(
            lambda logits, temperature: softmax(logits) / temperature,
            "You divided the probabilities; they no longer sum to one. Divide the logits, then "
            "take the softmax.",
        ),
        Mistake(
            _naive_temperature,
            "e to the power of a large number overflowed. Subtract the row's maximum first, as in "
            "chapter 1.",
        ),
        Mistake(
            _one_maximum_for_all,
            "You subtracted the maximum of the whole array. A row that lies far below it becomes "
            "all zeros, and then 0 / 0: each row needs its own.",
        ),
        Mistake(
            lambda logits, temperature: softmax((logits / temperature).ravel()).reshape(
                logits.shape
            ),
            _OVER_THE_WHOLE_ARRAY,
        ),
        Mistake(_one_total_for_all, _OVER_THE_WHOLE_ARRAY),
        Mistake(_total_without_keepdims, _LOST_AXIS),
        Mistake(_maximum_without_keepdims, _LOST_AXIS),
        Mistake(
            lambda logits, temperature: softmax(logits),
            "The temperature is not used.",
        ),
    ),
    hints=(
        "Divide the logits by the temperature, then take chapter 1's safe softmax.",
        "Subtract the maximum along the last axis (keepdims=True) before np.exp.",
        "z = logits / temperature; e = np.exp(z - z.max(axis=-1, keepdims=True)); "
        "return e / e.sum(axis=-1, keepdims=True)",
    ),
)
