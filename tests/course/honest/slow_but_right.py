"""Takes its time, and 200 MB."""

import time

import numpy as np


def softmax(z):
    scratch = np.ones(25_000_000)
    time.sleep(0.05)
    e = np.exp(z - z.max(axis=-1, keepdims=True)) * scratch[0]
    return e / e.sum(axis=-1, keepdims=True)
