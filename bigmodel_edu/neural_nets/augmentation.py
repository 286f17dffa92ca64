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
        """Look up every pixel of the new images where it lay in the old ones."""
        from scipy.ndimage import map_coordinates

        n, centre = len(images), (self.side - 1) / 2
        angle = np.radians(rng.uniform(-self.degrees, self.degrees, size=(n, 1, 1)))
        offset = rng.uniform(-self.shift, self.shift, size=(2, n, 1, 1))
        row, column = np.indices((self.side, self.side)) - centre
        old_row = np.cos(angle) * row - np.sin(angle) * column + centre + offset[0]
        old_column = np.sin(angle) * row + np.cos(angle) * column + centre + offset[1]
        image = np.broadcast_to(np.arange(n)[:, None, None], old_row.shape)
        return map_coordinates(images, [image, old_row, old_column], order=1, mode="grid-constant")
