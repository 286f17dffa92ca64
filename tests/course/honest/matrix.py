"""Answers with a subclass of the array."""

import numpy as np


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asmatrix(e / e.sum(axis=-1, keepdims=True))
