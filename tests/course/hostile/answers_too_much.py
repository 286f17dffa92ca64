"""Returns 400 MB."""

import numpy as np


def softmax(z):
    return np.zeros(50_000_000)
