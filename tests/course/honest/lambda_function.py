"""Is no def."""

import numpy as np

_exp = lambda z: np.exp(z - z.max(axis=-1, keepdims=True))  # noqa: E731
softmax = lambda z: _exp(z) / _exp(z).sum(axis=-1, keepdims=True)  # noqa: E731
