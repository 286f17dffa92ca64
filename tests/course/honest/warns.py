"""Computes too much, which warns of an overflow, and keeps what is right."""

import warnings

import numpy as np


def softmax(z):
    warnings.warn("this is slow", DeprecationWarning, stacklevel=2)
    np.exp(z * 1e6)
    np.zeros(1) / 0
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
