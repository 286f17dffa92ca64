"""k-fold: every example is held out exactly once."""

import numpy as np
import pytest

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.neural_nets.reference import k_fold


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize(("n", "k"), [(23, 5), (10, 5), (7, 7), (2, 2), (100, 3)])
def test_every_example_is_held_out_once(n, k, shuffled):
    folds = list(k_fold(n, k, rng=np.random.default_rng(0) if shuffled else None))
    assert len(folds) == k
    held_out = np.concatenate([validation for _, validation in folds])
    np.testing.assert_array_equal(np.sort(held_out), np.arange(n))
    for training, validation in folds:
        np.testing.assert_array_equal(np.union1d(training, validation), np.arange(n))
        assert not np.intersect1d(training, validation).size


def test_the_first_parts_are_the_longer_ones():
    assert [len(validation) for _, validation in k_fold(23, 5)] == [5, 5, 5, 4, 4]


def test_by_hand():
    folds = [(list(t), list(v)) for t, v in k_fold(5, 2)]
    assert folds == [([3, 4], [0, 1, 2]), ([0, 1, 2], [3, 4])]


def test_shuffling_mixes_and_the_seed_decides():
    plain, one, same, other = (
        [v.tolist() for _, v in k_fold(50, 5, rng=rng)]
        for rng in (None, *(np.random.default_rng(seed) for seed in (3, 3, 4)))
    )
    assert one == same
    assert one != other
    assert one != plain


@pytest.mark.parametrize(("n", "k"), [(5, 1), (5, 6), (5, 0), (0, 2), (1, 2)])
def test_impossible_splits_are_refused_at_once(n, k):
    with pytest.raises(HyperparameterError, match=f"k is {k} for {n} examples, expected from 2"):
        k_fold(n, k)  # not only when the first fold is asked for
