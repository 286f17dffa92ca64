"""Groups stay whole, and parts have their share of the rows."""

import numpy as np
import pytest

from bigmodel_edu.data.splitting import expect_fractions, split_groups
from bigmodel_edu.errors import HyperparameterError

GROUPS = np.random.default_rng(0).integers(0, 200, size=3000)


def test_every_row_is_in_one_part_and_every_group_too():
    parts = split_groups(GROUPS, (0.2, 0.1), np.random.default_rng(1))
    assert sorted(np.concatenate(parts)) == list(range(3000))
    train, validation, test = (set(GROUPS[part].tolist()) for part in parts)
    assert not train & test
    assert not train & validation
    assert not validation & test


def test_shares_are_of_rows_to_within_a_group():
    train, validation, test = split_groups(GROUPS, (0.2, 0.1), np.random.default_rng(1))
    largest = np.bincount(GROUPS).max()
    assert 600 - largest < len(test) <= 600
    assert abs(len(validation) - 300) < largest
    assert abs(len(train) - 2100) < largest


def test_rows_are_shuffled_and_follow_from_the_generator():
    one, same, other = (
        split_groups(GROUPS, (0.2, 0.1), np.random.default_rng(i)) for i in (1, 1, 2)
    )
    for part, again, another in zip(one, same, other, strict=True):
        np.testing.assert_array_equal(part, again)
        assert not np.array_equal(part[:50], another[:50])
        assert (np.diff(part) < 0).any()


@pytest.mark.parametrize(("test", "validation"), [(0.5, 0.5), (-0.1, 0.2), (0.2, -0.1)])
def test_fractions_that_leave_nothing_are_refused(test, validation):
    with pytest.raises(HyperparameterError, match="leave some names to train on"):
        expect_fractions(test, validation, "names")
