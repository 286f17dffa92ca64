"""Returns NaN, which differs from nothing."""

import numpy as np


def softmax(z):
    return np.full_like(z, np.nan)
