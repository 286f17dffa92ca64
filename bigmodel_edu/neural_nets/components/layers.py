"""What the components of layers have in common: inputs, and the size at which speed is measured."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bigmodel_edu.components import BenchSize

N, D, H, C = 256, 512, 512, 512  # the sizes at which speed is measured


def normal(*shape: int) -> Callable[[np.random.Generator, int], dict]:
    """Return inputs x (batch, *shape) from the normal distribution."""
    return lambda rng, batch: {"x": rng.normal(size=(batch, *shape))}


def bench_layer(build: Callable[[Any], Any], builtin: Callable[[], Any] | None = None) -> BenchSize:
    """Return the measured size of a layer on inputs (N, D)."""
    return BenchSize(
        shape=f"({N}, {D})",
        build=build,
        inputs=lambda rng: {"x": rng.normal(size=(N, D))},
        builtin=builtin,
    )
