"""The components of chapter 1: what belongs together, and what judges it from outside."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special
import sklearn.metrics
import sklearn.model_selection
import torch

from bigmodel_edu.components import (
    BenchSize,
    Component,
    FunctionComponent,
    LayerComponent,
    OptimizerComponent,
    Oracle,
    Results,
    Trial,
    outputs,
    torch_module,
)

N, D, H, C = 256, 512, 512, 512  # the sizes at which speed is measured


def normal(*shape: int) -> Callable[[np.random.Generator, int], dict]:
    """Return inputs x (batch, *shape) from the normal distribution."""
    return lambda rng, batch: {"x": rng.normal(size=(batch, *shape))}


def bench_layer(build: Callable[[Any], Any], builtin: Callable[[], Any] | None = None) -> BenchSize:
    """Return the measured size of a layer on inputs (N, D)."""
    return BenchSize(
        shape=f"({N}, {D})",
        build=build,
        inputs=lambda rng: {"x": rng.normal(size=(N, D))},
        builtin=builtin,
    )


def activation(name: str, build: Callable[[Any], Any], builtin: type, oracle: dict) -> Component:
    """Return the component of an elementwise function."""
    return LayerComponent(
        name=f"neural_nets.{name}",
        build=build,
        inputs=normal(7),
        oracles=oracle,
        bench=bench_layer(build, builtin),
    )


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


def pair_of_gradients(rng: np.random.Generator, batch: int) -> dict:
    """Return two gradients whose joint norm is well above one."""
    return {"weight": rng.normal(size=(batch, 3)), "bias": rng.normal(size=7)}


def clipped(max_norm: float) -> Callable[..., dict]:
    """Return a call that clips and names what comes back."""

    def call(module: Any, **grads: Any) -> dict:
        shrunk, norm = module.clip_gradients_by_norm(grads, max_norm)
        return {**shrunk, "norm": norm}

    return call


def clipped_by_torch(max_norm: float) -> Oracle:
    """Return an oracle that clips with `torch.nn.utils.clip_grad_norm_`."""

    def oracle(trial: Trial) -> Results:
        params = {
            name: torch.nn.Parameter(torch.zeros(g.shape)) for name, g in trial.inputs.items()
        }
        for name, parameter in params.items():
            parameter.data = parameter.data.double()
            parameter.grad = torch.tensor(trial.inputs[name]).double()
        norm = torch.nn.utils.clip_grad_norm_(params.values(), max_norm)
        return {name: p.grad.numpy() for name, p in params.items()} | {"norm": norm.numpy()}

    return oracle


def sklearn_sgd(lr: float, momentum: float, nesterov: bool) -> Oracle:
    """Return an oracle that steps with scikit-learn's SGD, as its MLPClassifier does."""

    def oracle(trial: Trial) -> Results:
        from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

        params = {name: value.copy() for name, value in trial.params.items()}
        sgd = SGDOptimizer(list(params.values()), lr, momentum=momentum, nesterov=nesterov)
        results: Results = {}
        for t in range(len(trial.inputs) // len(params)):
            grads = [trial.inputs[f"{name}@{t}"] for name in params]
            sgd.update_params(list(params.values()), grads)
            results |= {f"{name} after {t + 1}": value.copy() for name, value in params.items()}
        return results

    return oracle


def adam_in_closed_form(
    lr: float, betas: tuple[float, float], eps: float, weight_decay: float = 0.0
) -> Oracle:
    """Return an oracle whose moments are sums over all gradients (Kingma and Ba 2015, §3)."""

    def moment(beta: float, values: list) -> Any:
        t = len(values)
        decayed = sum(beta ** (t - i) * g for i, g in enumerate(values, start=1))
        return (1 - beta) * decayed / (1 - beta**t)

    def oracle(trial: Trial) -> Results:
        results: Results = {}
        for name, w in trial.params.items():
            grads: list = []
            while f"{name}@{len(grads)}" in trial.inputs:
                grads.append(trial.inputs[f"{name}@{len(grads)}"])
                m = moment(betas[0], grads)
                v = moment(betas[1], [g**2 for g in grads])
                w = (1 - lr * weight_decay) * w - lr * m / (v**0.5 + eps)
                results[f"{name} after {len(grads)}"] = w
        return results

    return oracle


def optimizer(
    name: str, build: Callable[[Any], Any], oracle: dict[str, Oracle], builtin: Callable[..., Any]
) -> Component:
    """Return the component of an optimizer."""
    return OptimizerComponent(
        name=f"neural_nets.{name}",
        build=build,
        oracles=oracle,
        bench=BenchSize(
            shape=f"({H}, {D})",
            build=build,
            inputs=lambda rng: {"weight": rng.normal(size=(H, D))},
            builtin=lambda: builtin,
        ),
    )


def schedule(
    name: str, build: Callable[[Any], Any], torch_schedule: Callable[[Any], Any], title: str
) -> Component:
    """Return the component of a schedule: its first 40 learning rates, against PyTorch's."""

    def rates_by_torch() -> np.ndarray:
        sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
        scheduler = torch_schedule(sgd)
        rates = []
        for _ in range(40):
            rates.append(scheduler.get_last_lr()[0])
            sgd.step()
            scheduler.step()
        return np.array(rates)

    return FunctionComponent(
        name=f"neural_nets.{name}",
        call=lambda module: np.array([build(module)(step) for step in range(40)]),
        oracles={f"torch.optim.lr_scheduler.{title}": outputs(rates_by_torch)},
        runs_on_cupy=False,
    )


def initializer(name: str, torch_name: str) -> Component:
    """Return the component of an initialiser: deciles of 200,000 weights, against torch.nn.init's.

    The two draw from different generators, so their deciles agree to about 0.004 of a standard
    deviation (one standard error); the tolerance is several of those.
    """
    shape, deciles = (401, 499), np.linspace(0.1, 0.9, 9)

    def drawn_by_torch() -> np.ndarray:
        options = {"nonlinearity": "relu"} if torch_name.startswith("kaiming") else {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            weight = getattr(torch.nn.init, torch_name)(torch.empty(shape), **options)
        return np.quantile(weight.double().numpy(), deciles)

    return FunctionComponent(
        name=f"neural_nets.{name}",
        call=lambda m: np.quantile(getattr(m, name)(np.random.default_rng(0), shape), deciles),
        oracles={f"torch.nn.init.{torch_name}": outputs(drawn_by_torch)},
        tolerance=2e-2,
        runs_on_cupy=False,
    )


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


def folds(splits: Any) -> dict:
    """Give every part of every fold a name."""
    return {
        f"{part} {i}": np.asarray(indices)
        for i, split in enumerate(splits)
        for part, indices in zip(("training", "validation"), split, strict=True)
    }


COMPONENTS: tuple[Component, ...] = (
    LayerComponent(
        name="neural_nets.linear",
        build=lambda m: m.Linear(7, 3),
        inputs=normal(7),
        oracles={"torch.nn.Linear": torch_module(lambda: torch.nn.Linear(7, 3))},
        bench=bench_layer(lambda m: m.Linear(D, H), lambda: torch.nn.Linear(D, H)),
    ),
    activation(
        "sigmoid",
        lambda m: m.Sigmoid(),
        torch.nn.Sigmoid,
        {"scipy.special.expit": outputs(scipy.special.expit)},
    ),
    activation(
        "tanh",
        lambda m: m.Tanh(),
        torch.nn.Tanh,
        {"exponentials": outputs(lambda x: (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1))},
    ),
    activation(
        "relu",
        lambda m: m.ReLU(),
        torch.nn.ReLU,
        {"absolute value": outputs(lambda x: (x + np.abs(x)) / 2)},
    ),
    activation(
        "gelu",
        lambda m: m.GELU(),
        torch.nn.GELU,
        {"scipy.stats.norm.cdf": outputs(lambda x: x * scipy.special.ndtr(x))},
    ),
    activation(
        "gelu_tanh",
        lambda m: m.GELU(approximate="tanh"),
        lambda: torch.nn.GELU(approximate="tanh"),
        {"torch.nn.GELU": torch_module(lambda: torch.nn.GELU(approximate="tanh"))},
    ),
    LayerComponent(
        name="neural_nets.softmax",
        build=lambda m: m.Softmax(),
        inputs=normal(7),
        oracles={"scipy.special.softmax": outputs(lambda z: scipy.special.softmax(z, axis=-1))},
        bench=bench_layer(lambda m: m.Softmax(), lambda: torch.nn.Softmax(dim=-1)),
    ),
    LayerComponent(
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
    ),
    LayerComponent(
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
    ),
    LayerComponent(
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
    ),
    LayerComponent(
        name="neural_nets.cross_entropy_smoothed",
        build=lambda m: m.CrossEntropy(label_smoothing=0.1),
        inputs=labelled,
        oracles={"scipy.special.log_softmax": smoothed_cross_entropy},
    ),
    LayerComponent(
        name="neural_nets.dropout",
        build=lambda m: m.Dropout(0.3),
        inputs=lambda rng, batch: {"x": rng.normal(size=(5, 7))},
        mode=lambda inputs: {
            "training": True,
            "mask": np.random.default_rng(1).random((5, 7)) >= 0.3,
        },
    ),
    LayerComponent(
        name="neural_nets.batch_norm",
        build=lambda m: m.BatchNorm1d(7),
        inputs=normal(7),
        mode=lambda inputs: {"training": True},
        oracles={"torch.nn.BatchNorm1d": torch_module(lambda: torch.nn.BatchNorm1d(7))},
        bench=bench_layer(lambda m: m.BatchNorm1d(D), lambda: torch.nn.BatchNorm1d(D)),
    ),
    LayerComponent(
        name="neural_nets.batch_norm_inference",
        build=lambda m: m.BatchNorm1d(7),
        inputs=normal(7),
        oracles={"torch.nn.BatchNorm1d": torch_module(lambda: torch.nn.BatchNorm1d(7))},
    ),
    LayerComponent(
        name="neural_nets.layer_norm",
        build=lambda m: m.LayerNorm(7),
        inputs=normal(7),
        oracles={"torch.nn.LayerNorm": torch_module(lambda: torch.nn.LayerNorm(7))},
        bench=bench_layer(lambda m: m.LayerNorm(D), lambda: torch.nn.LayerNorm(D)),
    ),
    LayerComponent(
        name="neural_nets.sequential",
        build=lambda m: m.Sequential((m.Linear(7, 3), m.LayerNorm(3), m.GELU(), m.Linear(3, 2))),
        inputs=normal(7),
        oracles={
            "torch.nn.Sequential": torch_module(
                lambda: torch.nn.Sequential(
                    torch.nn.Linear(7, 3),
                    torch.nn.LayerNorm(3),
                    torch.nn.GELU(),
                    torch.nn.Linear(3, 2),
                )
            )
        },
    ),
    LayerComponent(
        name="neural_nets.mlp",
        build=lambda m: m.mlp((7, 11, 3, 2), activation="tanh", batch_norm=True),
        inputs=normal(7),
        mode=lambda inputs: {"training": True},
        oracles={
            "torch.nn.Sequential": torch_module(
                lambda: torch.nn.Sequential(
                    torch.nn.Linear(7, 11),
                    torch.nn.BatchNorm1d(11),
                    torch.nn.Tanh(),
                    torch.nn.Linear(11, 3),
                    torch.nn.BatchNorm1d(3),
                    torch.nn.Tanh(),
                    torch.nn.Linear(3, 2),
                )
            )
        },
        bench=BenchSize(
            shape="(64, 64→128→64→10)",
            build=lambda m: m.mlp((64, 128, 64, 10)),
            inputs=lambda rng: {"x": rng.normal(size=(64, 64))},
            builtin=lambda: torch.nn.Sequential(
                torch.nn.Linear(64, 128),
                torch.nn.ReLU(),
                torch.nn.Linear(128, 64),
                torch.nn.ReLU(),
                torch.nn.Linear(64, 10),
            ),
            trains_on=lambda rng: rng.integers(0, 10, size=64),
        ),
    ),
    LayerComponent(
        name="neural_nets.l1_penalty",
        build=lambda m: m.L1Penalty(0.3),
        inputs=normal(7),
        oracles={"numpy.linalg.norm": outputs(lambda w: 0.3 * np.linalg.norm(w.ravel(), 1))},
    ),
    LayerComponent(
        name="neural_nets.l2_penalty",
        build=lambda m: m.L2Penalty(0.3),
        inputs=normal(7),
        oracles={"numpy.linalg.norm": outputs(lambda w: 0.15 * np.linalg.norm(w) ** 2)},
    ),
    FunctionComponent(
        name="neural_nets.clip_gradients_by_norm",
        inputs=pair_of_gradients,
        call=clipped(0.7),
        oracles={"torch.nn.utils.clip_grad_norm_": clipped_by_torch(0.7)},
        has_torch_twin=True,
        has_cupy_twin=True,
    ),
    FunctionComponent(
        name="neural_nets.clip_gradients_by_norm_unneeded",
        inputs=pair_of_gradients,
        call=clipped(1e3),
        oracles={"torch.nn.utils.clip_grad_norm_": clipped_by_torch(1e3)},
        has_torch_twin=True,
        has_cupy_twin=True,
    ),
    initializer("xavier_uniform", "xavier_uniform_"),
    initializer("xavier_normal", "xavier_normal_"),
    initializer("he_uniform", "kaiming_uniform_"),
    initializer("he_normal", "kaiming_normal_"),
    optimizer(
        "sgd",
        lambda m: m.SGD(lr=0.1),
        {"sklearn.SGDOptimizer": sklearn_sgd(0.1, 0.0, nesterov=False)},
        lambda p: torch.optim.SGD(p, lr=0.1, fused=True),
    ),
    optimizer(
        "momentum",
        lambda m: m.SGD(lr=0.1, momentum=0.8),
        {"sklearn.SGDOptimizer": sklearn_sgd(0.1, 0.8, nesterov=False)},
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, fused=True),
    ),
    optimizer(
        "nesterov",
        lambda m: m.SGD(lr=0.1, momentum=0.8, nesterov=True),
        {"sklearn.SGDOptimizer": sklearn_sgd(0.1, 0.8, nesterov=True)},
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, nesterov=True, fused=True),
    ),
    optimizer(
        "adam",  # a large ε, so that its place in the formula matters
        lambda m: m.Adam(lr=0.1, betas=(0.8, 0.9), eps=1e-2),
        {"closed form": adam_in_closed_form(0.1, (0.8, 0.9), 1e-2)},
        lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.9), eps=1e-2, fused=True),
    ),
    optimizer(
        "adamw",
        lambda m: m.AdamW(lr=0.1, betas=(0.8, 0.9), eps=1e-2, weight_decay=0.3),
        {"closed form": adam_in_closed_form(0.1, (0.8, 0.9), 1e-2, weight_decay=0.3)},
        lambda p: torch.optim.AdamW(
            p, lr=0.1, betas=(0.8, 0.9), eps=1e-2, weight_decay=0.3, fused=True
        ),
    ),
    schedule(
        "constant_schedule",
        lambda m: m.ConstantSchedule(0.3),
        lambda sgd: torch.optim.lr_scheduler.ConstantLR(sgd, factor=1),
        "ConstantLR",
    ),
    schedule(
        "step_schedule",
        lambda m: m.StepSchedule(0.3, step_size=7, gamma=0.5),
        lambda sgd: torch.optim.lr_scheduler.StepLR(sgd, 7, 0.5),
        "StepLR",
    ),
    schedule(
        "cosine_schedule",
        lambda m: m.CosineSchedule(0.3, total_steps=39, min_lr=0.05),
        lambda sgd: torch.optim.lr_scheduler.CosineAnnealingLR(sgd, 39, eta_min=0.05),
        "CosineAnnealingLR",
    ),
    schedule(
        "warm_up",
        lambda m: m.WarmUp(m.CosineSchedule(0.3, total_steps=31), steps=9),
        lambda sgd: torch.optim.lr_scheduler.SequentialLR(
            sgd,
            [
                torch.optim.lr_scheduler.LinearLR(sgd, start_factor=1 / 10, total_iters=9),
                torch.optim.lr_scheduler.CosineAnnealingLR(sgd, 31),
            ],
            milestones=[9],
        ),
        "SequentialLR",
    ),
    FunctionComponent(
        name="neural_nets.accuracy",
        inputs=classified,
        call=lambda m, y_true, y_pred, **_: m.accuracy(y_true, y_pred),
        oracles={
            "sklearn.metrics.accuracy_score": outputs(
                lambda y_true, y_pred, *_: sklearn.metrics.accuracy_score(y_true, y_pred)
            )
        },
    ),
    FunctionComponent(
        name="neural_nets.confusion_matrix",
        inputs=classified,
        call=lambda m, y_true, y_pred, **_: m.confusion_matrix(y_true, y_pred, n_classes=4),
        oracles={
            "sklearn.metrics.confusion_matrix": outputs(
                lambda y_true, y_pred, *_: sklearn.metrics.confusion_matrix(y_true, y_pred)
            )
        },
    ),
    averaged_metric("precision"),
    averaged_metric("recall"),
    averaged_metric("f1_score"),
    FunctionComponent(
        name="neural_nets.roc_auc",
        inputs=scored,
        call=lambda m, y_true, scores: m.roc_auc(y_true, scores),
        oracles={"sklearn.metrics.roc_auc_score": outputs(sklearn.metrics.roc_auc_score)},
    ),
    FunctionComponent(
        name="neural_nets.k_fold",
        call=lambda m: folds(m.k_fold(23, 5)),
        oracles={
            "sklearn.model_selection.KFold": lambda trial: folds(
                sklearn.model_selection.KFold(5).split(np.zeros(23))
            )
        },
        runs_on_cupy=False,
    ),
)
