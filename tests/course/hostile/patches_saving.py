"""Makes NumPy save something else than what is returned."""

import numpy as np


def softmax(z):
    right = np.ones_like(z) / z.shape[1]
    np.save = np.lib.format.write_array = lambda file, *args, **kwargs: file.write(right.tobytes())
    return np.zeros_like(z)
