"""Handwritten digits, small enough to train on in seconds, from scikit-learn's own files."""

from dataclasses import dataclass

import numpy as np

from bigmodel_edu.errors import HyperparameterError

MAX_GREY = 16  # a pixel counts the inked points among the 4×4 of the original 32×32 bitmap


@dataclass(frozen=True)
class Digits:
    """Images of handwritten digits in three parts; D = 64 pixels, row by row.

    Each `x_…` is float64 of shape (N, 64) in [0, 1], where 1 is full ink; each `y_…` is int64
    of shape (N,), the digit 0 … 9.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    def describe(self) -> str:
        """Say what these arrays hold, where they come from and under which licence."""
        return (
            f"Handwritten digits, 8×8 pixels of grey in [0, 1], 10 classes of nearly equal size: "
            f"{len(self.y_train):,} images to train, {len(self.y_validation):,} to validate, "
            f"{len(self.y_test):,} to test.\n"
            "Source: E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten Digits, "
            "UCI Machine Learning Repository, https://doi.org/10.24432/C50P49. UCI has 5,620 "
            "images by 43 writers; scikit-learn carries the 1,797 of UCI's test set, by 13 "
            "writers.\n"
            "Mind: writers are not recorded and the split is random, so the same hands write in "
            "all three parts; expect the digits of a new writer to be harder than this test set.\n"
            "Licence: CC BY 4.0, https://creativecommons.org/licenses/by/4.0/."
        )


def load_digits(
    seed: int = 0, test_fraction: float = 0.2, validation_fraction: float = 0.15
) -> Digits:
    """Load the 1,797 digits that scikit-learn carries, split at random, class by class.

    The same arguments give the same split. Each class keeps its share in each part, to within
    one image. With `validation_fraction=0`, for cross-validation, that part is empty.

    Source: scikit-learn, `sklearn.datasets.load_digits`: "a copy of the test set of the UCI ML
    hand-written digits datasets". Of UCI's 43 writers, 30 wrote its training set and 13 others
    this test set; see `Digits.describe`.

    Raises:
        HyperparameterError: a fraction is negative, or nothing would be left to train on.
    """
    if min(test_fraction, validation_fraction) < 0 or test_fraction + validation_fraction >= 1:
        raise HyperparameterError(
            "The fractions to test and to validate must be at least 0 and sum to less than 1, got "
            f"{test_fraction} and {validation_fraction}: leave some images to train on."
        )
    from sklearn import datasets

    x, y = datasets.load_digits(return_X_y=True)
    x, y = x / MAX_GREY, y.astype(np.int64)
    parts = _stratified(y, (test_fraction, validation_fraction), np.random.default_rng(seed))
    test, validation, train = parts
    return Digits(x[train], y[train], x[validation], y[validation], x[test], y[test])


def _stratified(
    y: np.ndarray, fractions: tuple[float, ...], rng: np.random.Generator
) -> list[np.ndarray]:
    """Return shuffled row numbers for each fraction of each class, and last for the rest."""
    pieces = []
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        ends = np.rint(np.cumsum(fractions) * len(rows)).astype(int)
        pieces.append(np.split(rows, ends))
    return [rng.permutation(np.concatenate(part)) for part in zip(*pieces, strict=True)]
