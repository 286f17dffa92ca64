"""What the components of the cells have in common."""

from collections.abc import Callable

import numpy as np

from .sizes import HIDDEN, INPUT


def step_inputs(*states: str) -> Callable[[np.random.Generator, int], dict]:
    """Return inputs of a cell: x (batch, INPUT) and its states (batch, HIDDEN)."""

    def inputs(rng: np.random.Generator, batch: int) -> dict:
        drawn = {name: rng.normal(size=(batch, HIDDEN)) for name in states}
        return {"x": rng.normal(size=(batch, INPUT))} | drawn

    return inputs
