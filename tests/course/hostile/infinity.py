"""Returns infinity."""

import numpy as np


def softmax(z):
    return np.full_like(z, np.inf)
