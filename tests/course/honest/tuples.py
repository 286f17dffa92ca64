"""Answers with a tuple of arrays."""

import numpy as np


def softmax_of_row(row):
    e = np.exp(row - np.max(row))
    return e / e.sum()


def softmax(z):
    return tuple(softmax_of_row(row) for row in z)
