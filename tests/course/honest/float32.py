"""Answers in float32."""

import numpy as np


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True)).astype(np.float32)
    return e / e.sum(axis=-1, keepdims=True)
