"""Splits into folds, and what judges them from outside."""

from typing import Any

import numpy as np
import sklearn.metrics
import sklearn.model_selection

from bigmodel_edu.components import FunctionComponent


def folds(splits: Any) -> dict:
    """Give every part of every fold a name."""
    return {
        f"{part} {i}": np.asarray(indices)
        for i, split in enumerate(splits)
        for part, indices in zip(("training", "validation"), split, strict=True)
    }


K_FOLD = FunctionComponent(
    name="neural_nets.k_fold",
    call=lambda m: folds(m.k_fold(23, 5)),
    oracles={
        "sklearn.model_selection.KFold": lambda trial: folds(
            sklearn.model_selection.KFold(5).split(np.zeros(23))
        )
    },
    runs_on_cupy=False,
)
