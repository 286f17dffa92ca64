"""Answers with columns that lie together."""

import numpy as np


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asfortranarray(e / e.sum(axis=-1, keepdims=True))
