"""The losses, and what judges them from outside."""

import numpy as np
import scipy.special
import sklearn.metrics
import sklearn.model_selection
import torch

from bigmodel_edu.components import BenchSize, LayerComponent, Results, Trial, outputs

from .layers import C, D, N


def labelled(rng: np.random.Generator, batch: int) -> dict:
    """Return logits (batch, 7) and targets (batch,), the second of them ignored."""
    targets = rng.integers(0, 7, size=batch)
    targets[1:2] = -100
    return {"logits": 3 * rng.normal(size=(batch, 7)), "targets": targets}


def smoothed_cross_entropy(trial: Trial) -> Results:
    """Return the loss of the component below by SciPy's log_softmax and an average by hand."""
    logits, targets = trial.inputs["logits"], trial.inputs["targets"]
    log_p = scipy.special.log_softmax(logits[targets >= 0], axis=1)
    own = -log_p[np.arange(len(log_p)), targets[targets >= 0]]
    return {"y": np.mean(0.9 * own - 0.1 * log_p.mean(axis=1))}


def log_loss(trial: Trial) -> Results:
    """Return scikit-learn's log loss of the softmax of the logits."""
    p = scipy.special.softmax(trial.inputs["logits"], axis=1)
    return {"y": sklearn.metrics.log_loss(trial.inputs["targets"], p, labels=range(7))}


def binary(rng: np.random.Generator, batch: int) -> dict:
    """Return logits and targets in (0, 1), both (batch, 3)."""
    return {
        "logits": 3 * rng.normal(size=(batch, 3)),
        "targets": rng.uniform(0.1, 0.9, size=(batch, 3)),
    }


MEAN_SQUARED_ERROR = LayerComponent(
    name="neural_nets.mean_squared_error",
    build=lambda m: m.MeanSquaredError(),
    inputs=lambda rng, batch: {
        "prediction": rng.normal(size=(batch, 3)),
        "target": rng.normal(size=(batch, 3)),
    },
    oracles={"sklearn.metrics.mean_squared_error": outputs(sklearn.metrics.mean_squared_error)},
    bench=BenchSize(
        shape=f"({N}, {D})",
        build=lambda m: m.MeanSquaredError(),
        inputs=lambda rng: {
            "prediction": rng.normal(size=(N, D)),
            "target": rng.normal(size=(N, D)),
        },
        builtin=torch.nn.MSELoss,
    ),
)

BINARY_CROSS_ENTROPY_WITH_LOGITS = LayerComponent(
    name="neural_nets.binary_cross_entropy_with_logits",
    build=lambda m: m.BinaryCrossEntropyWithLogits(),
    inputs=binary,
    oracles={
        "scipy.special.xlogy": outputs(
            lambda z, t: (
                -np.mean(
                    scipy.special.xlogy(t, scipy.special.expit(z))
                    + scipy.special.xlogy(1 - t, scipy.special.expit(-z))
                )
            )
        )
    },
    bench=BenchSize(
        shape=f"({N}, {D})",
        build=lambda m: m.BinaryCrossEntropyWithLogits(),
        inputs=lambda rng: {
            "logits": rng.normal(size=(N, D)),
            "targets": rng.uniform(size=(N, D)),
        },
        builtin=torch.nn.BCEWithLogitsLoss,
    ),
)

CROSS_ENTROPY = LayerComponent(
    name="neural_nets.cross_entropy",
    build=lambda m: m.CrossEntropy(),
    inputs=lambda rng, batch: {
        "logits": 3 * rng.normal(size=(batch, 7)),
        "targets": rng.integers(0, 7, size=batch),
    },
    oracles={"sklearn.metrics.log_loss": log_loss},
    bench=BenchSize(
        shape=f"({N}, {C})",
        build=lambda m: m.CrossEntropy(),
        inputs=lambda rng: {
            "logits": rng.normal(size=(N, C)),
            "targets": rng.integers(0, C, size=N),
        },
        builtin=torch.nn.CrossEntropyLoss,
    ),
)

CROSS_ENTROPY_SMOOTHED = LayerComponent(
    name="neural_nets.cross_entropy_smoothed",
    build=lambda m: m.CrossEntropy(label_smoothing=0.1),
    inputs=labelled,
    oracles={"scipy.special.log_softmax": smoothed_cross_entropy},
)
