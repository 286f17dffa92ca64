"""Prints all that it does."""

import sys

import numpy as np


def softmax(z):
    for _ in range(300):
        print("x" * 100_000)
    print("done", file=sys.stderr)
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
