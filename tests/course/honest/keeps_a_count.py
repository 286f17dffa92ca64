"""Writes into the notebook's own variables."""

import numpy as np

calls, seen = 0, []


def softmax(z):
    global calls
    calls += 1
    seen.append(z)
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
