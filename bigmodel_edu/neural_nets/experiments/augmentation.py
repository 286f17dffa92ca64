"""Augmentation of small images: the same digit, shifted, turned, or with noise."""

from dataclasses import dataclass

import numpy as np

from bigmodel_edu.layer import (
    Array,
    expect_count,
    expect_floats,
    expect_not_negative,
    expect_shape,
)


@dataclass(frozen=True)
class RandomDistortion:
    """Shifts and rotates each image of a batch and adds noise, independently and at random.

    `shift` in pixels and `degrees` are the largest distortions, drawn uniformly; `noise` is the
    standard deviation of what is added to each pixel. Pixels come from bilinear interpolation,
    and from outside the image zeros.

    Shapes: x (N, side²) or (N, side, side), floating point; y alike.
    """

    side: int
    shift: float = 0.0
    degrees: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        expect_count("side", self.side)
        for name in ("shift", "degrees", "noise"):
            expect_not_negative(name, getattr(self, name))

    def __call__(self, x: Array, rng: np.random.Generator) -> Array:
        expect_floats("x", x)
        expect_shape("x", x, "N", *((self.side, self.side) if x.ndim == 3 else (self.side**2,)))
        images = x.reshape(-1, self.side, self.side)
        if self.shift or self.degrees:
            images = self._moved(images, rng)
        if self.noise:
            images = images + rng.normal(0, self.noise, size=images.shape).astype(x.dtype)
        return images.reshape(x.shape)

    def _moved(self, images: Array, rng: np.random.Generator) -> Array:
        """Look up every pixel of the new images where it lay in the old ones: between four."""
        n, centre, width = len(images), (self.side - 1) / 2, self.side + 2
        angle = np.radians(rng.uniform(-self.degrees, self.degrees, size=(n, 1, 1)))
        offset = rng.uniform(-self.shift, self.shift, size=(2, n, 1, 1))
        row, column = np.indices((self.side, self.side)) - centre
        old_row = np.cos(angle) * row - np.sin(angle) * column + centre + offset[0]
        old_column = np.sin(angle) * row + np.cos(angle) * column + centre + offset[1]

        framed = np.zeros((n, width, width), dtype=images.dtype)  # by pixels from outside
        framed[:, 1:-1, 1:-1] = images
        top, down = self._pixel_and_rest(old_row, images.dtype)
        left, right = self._pixel_and_rest(old_column, images.dtype)
        corner = (np.arange(n)[:, None, None] * width + top) * width + left
        upper, lower = (
            (1 - right) * framed.take(corner + step) + right * framed.take(corner + step + 1)
            for step in (0, width)
        )
        return (1 - down) * upper + down * lower

    def _pixel_and_rest(self, position: Array, dtype: np.dtype) -> tuple[Array, Array]:
        """Split positions in the image: the framed image's pixel before, and how far from it."""
        position = np.clip(position + 1, 0, self.side + 1)
        pixel = np.minimum(position.astype(np.intp), self.side)  # one more pixel comes after it
        return pixel, (position - pixel).astype(dtype)
