"""Uses the function's name for its result, further down."""

import numpy as np


def softmax(z):
    if len(z) > 1:
        return np.concatenate([softmax(z[:1]), softmax(z[1:])])
    e = np.exp(z - z.max())
    return e / e.sum()


softmax = softmax(np.zeros((3, 5)))
