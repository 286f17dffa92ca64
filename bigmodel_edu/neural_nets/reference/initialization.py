"""Initial weights that keep the size of signals and gradients from layer to layer.

A weight has shape (fan_out, fan_in), as in `Linear`.
"""

import numpy as np

from bigmodel_edu.errors import ShapeError
from bigmodel_edu.layer import Array, expect_count, shape_text


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight of shape (fan_out, fan_in)."""
    if len(shape) != 2:
        raise ShapeError(
            f"the weight's shape is {shape_text(shape)}, expected two axes (fan_out, fan_in)."
        )
    fan_out, fan_in = shape
    expect_count("fan_out", fan_out)
    expect_count("fan_in", fan_in)
    return fan_in, fan_out


def xavier_uniform(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Draw from U(-a, a), a = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16)."""
    a = np.sqrt(6 / sum(fans(shape)))
    return rng.uniform(-a, a, size=shape)


def xavier_normal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Draw from N(0, 2 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 12)."""
    return rng.normal(0, np.sqrt(2 / sum(fans(shape))), size=shape)


def he_uniform(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Draw from U(-a, a), a = sqrt(6 / fan_in), which has the variance of `he_normal`."""
    fan_in, _ = fans(shape)
    a = np.sqrt(6 / fan_in)
    return rng.uniform(-a, a, size=shape)


def he_normal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Draw from N(0, 2 / fan_in), for layers followed by a ReLU (He et al. 2015, eq. 10)."""
    fan_in, _ = fans(shape)
    return rng.normal(0, np.sqrt(2 / fan_in), size=shape)
