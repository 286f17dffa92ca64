"""Calls itself, row by row."""

import numpy as np


def softmax(z):
    if len(z) > 1:
        return np.concatenate([softmax(z[:1]), softmax(z[1:])])
    e = np.exp(z - z.max())
    return e / e.sum()
