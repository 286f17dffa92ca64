"""Lets NumPy raise instead of warn."""

import numpy as np


def softmax(z):
    with np.errstate(all="raise", under="ignore"):
        e = np.exp(z - z.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)
