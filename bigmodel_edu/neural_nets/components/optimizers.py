"""The optimizers, and what judges them from outside."""

from collections.abc import Callable
from typing import Any

import torch

from bigmodel_edu.components import BenchSize, Component, OptimizerComponent, Oracle, Results, Trial

from .layers import D, H


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


SGD = optimizer(
    "sgd",
    lambda m: m.SGD(lr=0.1),
    {"sklearn.SGDOptimizer": sklearn_sgd(0.1, 0.0, nesterov=False)},
    lambda p: torch.optim.SGD(p, lr=0.1, fused=True),
)

MOMENTUM = optimizer(
    "momentum",
    lambda m: m.SGD(lr=0.1, momentum=0.8),
    {"sklearn.SGDOptimizer": sklearn_sgd(0.1, 0.8, nesterov=False)},
    lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, fused=True),
)

NESTEROV = optimizer(
    "nesterov",
    lambda m: m.SGD(lr=0.1, momentum=0.8, nesterov=True),
    {"sklearn.SGDOptimizer": sklearn_sgd(0.1, 0.8, nesterov=True)},
    lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, nesterov=True, fused=True),
)

ADAM = optimizer(
    "adam",  # a large ε, so that its place in the formula matters
    lambda m: m.Adam(lr=0.1, betas=(0.8, 0.9), eps=1e-2),
    {"closed form": adam_in_closed_form(0.1, (0.8, 0.9), 1e-2)},
    lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.9), eps=1e-2, fused=True),
)

ADAMW = optimizer(
    "adamw",
    lambda m: m.AdamW(lr=0.1, betas=(0.8, 0.9), eps=1e-2, weight_decay=0.3),
    {"closed form": adam_in_closed_form(0.1, (0.8, 0.9), 1e-2, weight_decay=0.3)},
    lambda p: torch.optim.AdamW(
        p, lr=0.1, betas=(0.8, 0.9), eps=1e-2, weight_decay=0.3, fused=True
    ),
)
