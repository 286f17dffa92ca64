"""Complex numbers as twice as many real ones: first all real parts, then all imaginary parts."""

import numpy as np

from bigmodel_edu.layer import Array


def halves(x: Array) -> tuple[Array, Array]:
    """Return the real and the imaginary parts (..., d) of x (..., 2d)."""
    half = x.shape[-1] // 2
    return x[..., :half], x[..., half:]


def moduli(x: Array) -> Array:
    """Return |x| = √(real² + imaginary²). Shapes: (..., 2d), the result (..., d)."""
    real, imaginary = halves(x)
    squares = real * real
    squares += imaginary * imaginary
    return np.sqrt(squares, out=squares)


def complex_product(x: Array, y: Array) -> Array:
    """Return x y, number by number. Shapes: (..., 2d)."""
    (a, b), (c, d) = halves(x), halves(y)
    return np.concatenate((a * c - b * d, a * d + b * c), axis=-1)


def conjugate(x: Array) -> Array:
    """Return x̄, the imaginary parts with the other sign. Shapes: (..., 2d)."""
    real, imaginary = halves(x)
    return np.concatenate((real, -imaginary), axis=-1)


def rotation(angles: Array) -> Array:
    """Return e^{iθ} = cos θ + i sin θ of the angles. Shapes: (..., d), the result (..., 2d)."""
    return np.concatenate((np.cos(angles), np.sin(angles)), axis=-1)
