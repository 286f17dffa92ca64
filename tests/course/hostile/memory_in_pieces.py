"""Takes 50 GB, bit by bit."""

import numpy as np


def softmax(z):
    kept = []
    for _ in range(5000):
        kept.append(np.ones(10_000_000, dtype=np.uint8))
    return kept[0]
