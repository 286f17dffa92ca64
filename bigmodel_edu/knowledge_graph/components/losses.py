"""The losses, and what judges them from outside."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special
import scipy.stats
import torch

from bigmodel_edu.components import (
    BenchSize,
    FunctionComponent,
    LayerComponent,
    Oracle,
    Results,
    Trial,
    outputs,
    run_torch_module,
    torch_module,
)

from .oracles import pykeen
from .sizes import NEGATIVES, B


class PyKEENLoss(torch.nn.Module):
    """A loss of PyKEEN with the arguments of ours; `scale` undoes a factor of theirs."""

    def __init__(self, loss: torch.nn.Module, scale: float = 1.0) -> None:
        super().__init__()
        self.loss, self.scale = loss, scale

    def forward(self, positive: Any, negative: Any, **ignored: Any) -> Any:
        # they take the positives (B, 1), weigh the negatives themselves, and call `view` on them
        return self.scale * self.loss.process_slcwa_scores(positive[:, None], negative.contiguous())


def pykeen_loss(name: str, scale: float = 1.0, **options: Any) -> Oracle:
    """Return the loss of that name in `pykeen.losses` as an oracle."""

    def oracle(trial: Trial) -> Results:
        loss = getattr(pykeen("losses"), name)(**options)
        return run_torch_module(PyKEENLoss(loss, scale), trial)

    return oracle


class TorchMarginRanking(torch.nn.MarginRankingLoss):
    """`torch.nn.MarginRankingLoss` with the arguments of ours."""

    def forward(self, positive: Any, negative: Any) -> Any:
        return super().forward(positive[:, None], negative, torch.ones_like(negative))


def logistic_by_probabilities(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Return the mean of -log σ(s⁺) and -log(1 - σ(s⁻)), the logarithms of probabilities."""
    right, wrong = scipy.special.expit(positive), 1 - scipy.special.expit(negative)
    return -np.log(np.concatenate((right, wrong.ravel()))).mean()


def compared(rng: np.random.Generator, batch: int) -> dict:
    """Return the scores of facts (batch,) and of their negatives (batch, 7)."""
    return {"positive": 2 * rng.normal(size=batch), "negative": 2 * rng.normal(size=(batch, 7))}


def bench_loss(build: Callable[[Any], Any]) -> BenchSize:
    """Return the measured size of a loss."""
    return BenchSize(
        shape=f"({B}, {NEGATIVES})",
        build=build,
        inputs=lambda rng: {
            "positive": rng.normal(size=B),
            "negative": rng.normal(size=(B, NEGATIVES)),
        },
    )


MARGIN_LOSS = LayerComponent(
    name="knowledge_graph.margin_loss",
    build=lambda m: m.MarginLoss(0.7),
    inputs=compared,
    oracles={
        "torch.nn.MarginRankingLoss": torch_module(lambda: TorchMarginRanking(0.7)),
        "pykeen.losses.MarginRankingLoss": pykeen_loss("MarginRankingLoss", margin=0.7),
    },
    bench=bench_loss(lambda m: m.MarginLoss()),
)

LOGISTIC_LOSS = LayerComponent(
    name="knowledge_graph.logistic_loss",
    build=lambda m: m.LogisticLoss(),
    inputs=compared,
    oracles={
        "probabilities": outputs(logistic_by_probabilities),
        "pykeen.losses.SoftplusLoss": pykeen_loss("SoftplusLoss"),
    },
    bench=bench_loss(lambda m: m.LogisticLoss()),
)

SELF_ADVERSARIAL_LOSS = LayerComponent(
    name="knowledge_graph.self_adversarial_loss",
    build=lambda m: m.SelfAdversarialLoss(0.7, 1.3),
    inputs=compared,
    # given, so that they stay as they are where central differences move the scores
    mode=lambda inputs: {"weights": scipy.special.softmax(1.3 * inputs["negative"], axis=1)},
    oracles={
        "pykeen.losses.NSSALoss": pykeen_loss(
            "NSSALoss", scale=2.0, margin=0.7, adversarial_temperature=1.3
        )
    },
    bench=bench_loss(lambda m: m.SelfAdversarialLoss()),
)

SELF_ADVERSARIAL_WEIGHTS = FunctionComponent(
    name="knowledge_graph.self_adversarial_weights",
    inputs=lambda rng, batch: {"negative": 2 * rng.normal(size=(batch, 7))},
    call=lambda m, negative: m.SelfAdversarialLoss(0.7, 1.3).weights(negative),
    oracles={"scipy.special.softmax": outputs(lambda s: scipy.special.softmax(1.3 * s, axis=1))},
    has_torch_twin=True,
)
