"""Answers with a view whose elements lie apart, and the wrong way round."""

import numpy as np


def softmax(z):
    wide = np.zeros((2 * z.shape[0], 3 * z.shape[1]))
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    wide[::-2, ::-3] = e / e.sum(axis=-1, keepdims=True)
    return wide[::-2, ::-3]
