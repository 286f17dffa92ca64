"""The digits are real, whole, split fairly, and the same for every reader."""

import numpy as np
import pytest
from sklearn import datasets

from bigmodel_edu.data import load_digits, validate_examples
from bigmodel_edu.errors import HyperparameterError

# Class distribution of the test set in UCI's own description, optdigits.names.
UCI_TEST_SET = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
GOLDEN_TEST_LABELS = [1, 0, 5, 4, 4, 2, 6, 2, 8, 0, 2, 0]
GOLDEN_TRAIN_LABELS = [3, 1, 7, 7, 4, 4, 6, 1, 9, 6, 4, 8]


def parts(digits):
    return {
        "train": (digits.x_train, digits.y_train),
        "validation": (digits.x_validation, digits.y_validation),
        "test": (digits.x_test, digits.y_test),
    }


def rows(*arrays):
    return sorted(map(tuple, np.concatenate(arrays).tolist()))


def test_arrays_are_as_documented():
    for x, y in parts(load_digits()).values():
        assert x.dtype == np.float64
        assert y.dtype == np.int64
        assert x.shape == (len(y), 64)
        assert x.min() == 0
        assert x.max() == 1
        validate_examples(x, y, 10)


def test_every_image_is_in_exactly_one_part_with_its_label():
    digits = load_digits()
    x, y = datasets.load_digits(return_X_y=True)
    labelled = [np.column_stack(part) for part in parts(digits).values()]
    assert rows(*labelled) == rows(np.column_stack((x / 16, y)))


def test_it_is_the_uci_test_set():
    digits = load_digits()
    labels = np.concatenate((digits.y_train, digits.y_validation, digits.y_test))
    assert np.bincount(labels).tolist() == UCI_TEST_SET


@pytest.mark.parametrize(("test", "validation"), [(0.2, 0.15), (0.5, 0.25), (0.1, 0.0)])
def test_split_is_stratified(test, validation):
    digits = load_digits(test_fraction=test, validation_fraction=validation)
    shares = {"test": test, "validation": validation, "train": 1 - test - validation}
    for part, (_, y) in parts(digits).items():
        wanted = np.multiply(UCI_TEST_SET, shares[part])
        assert np.abs(np.bincount(y, minlength=10) - wanted).max() <= 1


def test_split_follows_from_its_seed():
    one, same, other = load_digits(seed=3), load_digits(seed=3), load_digits(seed=4)
    np.testing.assert_array_equal(one.x_test, same.x_test)
    np.testing.assert_array_equal(one.y_train, same.y_train)
    assert not np.array_equal(one.x_test[:100], other.x_test[:100])


def test_split_is_the_one_the_book_was_written_with():
    # Where this fails, NumPy's generator has changed, and with it the numbers in the text.
    digits = load_digits()
    assert digits.y_test[:12].tolist() == GOLDEN_TEST_LABELS
    assert digits.y_train[:12].tolist() == GOLDEN_TRAIN_LABELS


def test_classes_are_mixed():
    digits = load_digits()
    assert len(np.unique(digits.y_train[:64])) == 10


@pytest.mark.parametrize(("test", "validation"), [(0.5, 0.5), (-0.1, 0.2), (0.2, -0.1), (1.0, 0.0)])
def test_fractions_that_leave_nothing_are_refused(test, validation):
    with pytest.raises(HyperparameterError, match="sum to less than 1"):
        load_digits(test_fraction=test, validation_fraction=validation)


def test_description_names_sizes_source_and_licence():
    digits = load_digits()
    text = digits.describe()
    for words in (
        f"{len(digits.y_train):,} images to train",
        f"{len(digits.y_test):,} to test",
        "10.24432/C50P49",
        "13 writers",
        "CC BY 4.0",
    ):
        assert words in text
