"""Imports everything."""

from math import *  # noqa: F403

from numpy import *  # noqa: F403


def softmax(z):
    e = exp(z - z.max(axis=-1, keepdims=True))  # noqa: F405
    return e / e.sum(axis=-1, keepdims=True)
