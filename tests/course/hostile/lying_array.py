"""Returns an object that is another array every time it is looked at."""

import numpy as np


class Liar:
    calls = 0

    def __array__(self, *args, **kwargs):
        Liar.calls += 1
        return np.full((5, 7), Liar.calls)


def softmax(z):
    return Liar()
