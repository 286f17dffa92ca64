"""The metrics, and what judges them from outside."""

from typing import Any

import numpy as np
import sklearn.metrics
import sklearn.model_selection

from bigmodel_edu.components import Component, FunctionComponent, Results, Trial, outputs


def classified(rng: np.random.Generator, batch: int) -> dict:
    """Return true and predicted labels of four classes, and yes-or-no ones, (8 · batch,) each.

    The classes are of unequal size: with equal ones, macro is the average weighted by size.
    """
    size = 8 * batch
    return {
        "y_true": rng.permutation(np.arange(size) % 7 % 4),
        "y_pred": rng.integers(0, 3, size=size),  # class 3 is never predicted: a ratio of 0 / 0
        "is_true": rng.permutation(np.arange(size) % 3 % 2),
        "is_pred": rng.integers(0, 2, size=size),
    }


def averaged_metric(name: str) -> Component:
    """Return the component of a metric with averages, against scikit-learn's of the same name."""
    theirs = getattr(sklearn.metrics, f"{name.removesuffix('_score')}_score")

    def call(module: Any, y_true: Any, y_pred: Any, is_true: Any, is_pred: Any) -> dict:
        ours = getattr(module, name)
        averages = {a: ours(y_true, y_pred, average=a, n_classes=4) for a in ("macro", "micro")}
        return {"binary": ours(is_true, is_pred)} | averages

    def oracle(trial: Trial) -> Results:
        y_true, y_pred, is_true, is_pred = trial.inputs.values()
        averages = {
            a: theirs(y_true, y_pred, average=a, zero_division=0) for a in ("macro", "micro")
        }
        return {"binary": theirs(is_true, is_pred)} | averages

    return FunctionComponent(
        name=f"neural_nets.{name}",
        inputs=classified,
        call=call,
        oracles={f"sklearn.metrics.{theirs.__name__}": oracle},
    )


def scored(rng: np.random.Generator, batch: int) -> dict:
    """Return yes-or-no labels and scores with many ties between the two, (4 · batch,) each."""
    y_true = rng.permutation(np.arange(4 * batch) % 3 % 2)
    return {"y_true": y_true, "scores": np.round(y_true + rng.normal(size=4 * batch))}


ACCURACY = FunctionComponent(
    name="neural_nets.accuracy",
    inputs=classified,
    call=lambda m, y_true, y_pred, **_: m.accuracy(y_true, y_pred),
    oracles={
        "sklearn.metrics.accuracy_score": outputs(
            lambda y_true, y_pred, *_: sklearn.metrics.accuracy_score(y_true, y_pred)
        )
    },
)

CONFUSION_MATRIX = FunctionComponent(
    name="neural_nets.confusion_matrix",
    inputs=classified,
    call=lambda m, y_true, y_pred, **_: m.confusion_matrix(y_true, y_pred, n_classes=4),
    oracles={
        "sklearn.metrics.confusion_matrix": outputs(
            lambda y_true, y_pred, *_: sklearn.metrics.confusion_matrix(y_true, y_pred)
        )
    },
)

PRECISION = averaged_metric("precision")

RECALL = averaged_metric("recall")

F1_SCORE = averaged_metric("f1_score")

ROC_AUC = FunctionComponent(
    name="neural_nets.roc_auc",
    inputs=scored,
    call=lambda m, y_true, scores: m.roc_auc(y_true, scores),
    oracles={"sklearn.metrics.roc_auc_score": outputs(sklearn.metrics.roc_auc_score)},
)
