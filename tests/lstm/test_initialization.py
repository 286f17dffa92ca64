"""Orthogonal weights."""

import numpy as np
import pytest

from bigmodel_edu.errors import ShapeError
from bigmodel_edu.lstm.reference import orthogonal, orthogonal_from


@pytest.mark.parametrize("shape", [(7, 7), (11, 3), (3, 11), (12, 3)])
def test_orthogonal_weights_keep_lengths(shape):
    w = orthogonal(np.random.default_rng(0), shape)
    assert w.shape == shape
    small = w.T @ w if shape[0] >= shape[1] else w @ w.T
    np.testing.assert_allclose(small, np.eye(min(shape)), atol=1e-14)
    scaled = orthogonal(np.random.default_rng(0), shape, gain=3.0)
    np.testing.assert_allclose(scaled, 3 * w)


def test_the_diagonal_of_r_is_positive():
    a = np.random.default_rng(0).normal(size=(7, 5))
    assert (np.diag(orthogonal_from(a).T @ a) > 0).all()


def test_orthogonal_weights_have_no_favourite_direction():
    """Without the signs, the first element of Q would be negative in every draw (LAPACK)."""
    rng = np.random.default_rng(0)
    first = [orthogonal(rng, (3, 3))[0, 0] for _ in range(400)]
    assert abs(np.mean(first)) < 0.1


def test_a_weight_has_two_axes():
    with pytest.raises(ShapeError, match=r"shape is \(3,\), expected two axes"):
        orthogonal(np.random.default_rng(0), (3,))
