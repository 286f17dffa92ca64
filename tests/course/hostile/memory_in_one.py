"""Takes 50 GB at once."""

import numpy as np


def softmax(z):
    return np.ones(50_000_000_000, dtype=np.uint8)
