"""Initial weights for recurrent networks; a weight has shape (fan_out, fan_in)."""

import numpy as np

from bigmodel_edu.errors import ShapeError
from bigmodel_edu.layer import Array, shape_text


def orthogonal_from(a: Array) -> Array:
    """Return Q of a = Q R for a (m, n) with m ≥ n, the diagonal of R being positive.

    The decomposition is unique up to the signs of Q's columns; with these Q is drawn uniformly from
    all orthogonal matrices when a is Gaussian (Mezzadri 2007, section 5).
    """
    q, r = np.linalg.qr(a)
    return q * np.sign(np.diag(r))


def orthogonal(rng: np.random.Generator, shape: tuple[int, int], gain: float = 1.0) -> Array:
    """Draw a weight with orthonormal rows or columns, whichever are fewer, times `gain`.

    Source: Saxe et al. 2014, section 3.
    """
    if len(shape) != 2:
        raise ShapeError(
            f"the weight's shape is {shape_text(shape)}, expected two axes (fan_out, fan_in)."
        )
    fan_out, fan_in = shape
    gaussian = rng.normal(size=(max(shape), min(shape)))
    q = orthogonal_from(gaussian)
    return gain * (q if fan_out >= fan_in else q.T)


def uniform_by_width(rng: np.random.Generator, shape: tuple[int, ...], hidden_size: int) -> Array:
    """Draw from U(-1/√H, 1/√H), as PyTorch's recurrent layers start."""
    bound = hidden_size**-0.5
    return rng.uniform(-bound, bound, size=shape)
