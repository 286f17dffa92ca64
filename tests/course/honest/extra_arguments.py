"""Takes more than it is given."""

import numpy as np


def softmax(z, axis=-1, *others, keepdims=True, **options):
    e = np.exp(z - z.max(axis=axis, keepdims=keepdims))
    return e / e.sum(axis=axis, keepdims=keepdims)
