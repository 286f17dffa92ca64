"""Splits that keep together what belongs together."""

import numpy as np

from bigmodel_edu.errors import HyperparameterError


def expect_fractions(test: float, validation: float, what: str) -> None:
    """Raise unless both fractions leave some of `what` ("names") to train on."""
    if min(test, validation) < 0 or test + validation >= 1:
        raise HyperparameterError(
            "The fractions to test and to validate must be at least 0 and sum to less than 1, got "
            f"{test} and {validation}: leave some {what} to train on."
        )


def split_groups(
    groups: np.ndarray, fractions: tuple[float, float], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return shuffled row numbers (train, validation, test); no group is in two parts.

    Groups are drawn at random, so the parts have their fractions of the *rows* to within one
    group.

    Args:
        groups: shape (N,), integers, the number of each row's group.
        fractions: of test and validation.
        rng: draws the order of the groups, then the order of the rows.
    """
    names, sizes = np.unique(groups, return_counts=True)
    order = rng.permutation(len(names))
    rows_so_far = np.cumsum(sizes[order])
    ends = [int(np.sum(rows_so_far <= share * len(groups))) for share in np.cumsum(fractions)]
    test, validation, train = (
        rng.permutation(np.flatnonzero(np.isin(groups, names[part])))
        for part in np.split(order, ends)
    )
    return train, validation, test
