"""Returns an array of records."""

import numpy as np


def softmax(z):
    return np.zeros(z.shape, dtype=[("p", float), ("q", object)])
