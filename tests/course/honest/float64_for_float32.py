"""Answers in float64, whatever came."""

import numpy as np


def softmax(z):
    e = np.exp(z.astype(float) - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
