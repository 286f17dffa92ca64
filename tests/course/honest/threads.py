"""Gives each row to a thread."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np


def of_row(row):
    e = np.exp(row - row.max())
    return e / e.sum()


def softmax(z):
    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(of_row, z)))
