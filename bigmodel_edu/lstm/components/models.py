"""The models of chapter 2, and what judges them from outside."""

import numpy as np
import torch

from bigmodel_edu.components import BenchSize, LayerComponent, torch_module

from .recurrent import lengths_for, one_by_one
from .sizes import HIDDEN, INPUT, STEPS, B, D, H, T, V


def padded_tokens(rng: np.random.Generator, batch: int) -> dict:
    """Return tokens (batch, STEPS) of a vocabulary of 13, padded with 0 to different lengths."""
    tokens = rng.integers(1, 13, size=(batch, STEPS))
    return {"tokens": np.where(np.arange(STEPS) < lengths_for(tokens)[:, None], tokens, 0)}


class ClassifierModule(torch.nn.Module):
    """The classifier out of PyTorch's parts, which reads each sequence alone."""

    def __init__(self, layers: int, both: bool) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(13, INPUT, padding_idx=0)
        self.lstm = one_by_one(torch.nn.LSTM, INPUT, HIDDEN, num_layers=layers, bidirectional=both)
        self.output = torch.nn.Linear((1 + both) * HIDDEN, 2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        _, h_n, _ = self.lstm(self.embedding(tokens), lengths=(tokens != 0).sum(dim=1))
        directions = 2 if self.lstm.bidirectional else 1
        return self.output(torch.cat(tuple(h_n[-directions:]), dim=-1))


class LanguageModule(torch.nn.Module):
    """The language model out of PyTorch's parts."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(13, INPUT)
        self.lstm = torch.nn.LSTM(INPUT, HIDDEN, 2, batch_first=True)
        self.output = torch.nn.Linear(HIDDEN, 13)

    def forward(self, tokens: torch.Tensor, h_0: torch.Tensor, c_0: torch.Tensor) -> tuple:
        y, (h_n, c_n) = self.lstm(self.embedding(tokens), (h_0, c_0))
        return self.output(y), h_n, c_n


SEQUENCE_CLASSIFIER = LayerComponent(
    name="lstm.sequence_classifier",
    build=lambda m: m.SequenceClassifier(13, INPUT, HIDDEN, 2, num_layers=2),
    inputs=padded_tokens,
    derived_sizes=(4 * HIDDEN,),
    oracles={"torch.nn": torch_module(lambda: ClassifierModule(2, both=False))},
)

SEQUENCE_CLASSIFIER_BOTH_WAYS = LayerComponent(
    name="lstm.sequence_classifier_both_ways",
    build=lambda m: m.SequenceClassifier(13, INPUT, HIDDEN, 2, bidirectional=True),
    inputs=padded_tokens,
    derived_sizes=(4 * HIDDEN, 2 * HIDDEN),
    oracles={"torch.nn": torch_module(lambda: ClassifierModule(1, both=True))},
)

LANGUAGE_MODEL = LayerComponent(
    name="lstm.language_model",
    build=lambda m: m.LanguageModel(13, INPUT, HIDDEN, num_layers=2),
    inputs=lambda rng, batch: {
        "tokens": rng.integers(0, 13, size=(batch, STEPS)),
        "h_0": rng.normal(size=(2, batch, HIDDEN)),
        "c_0": rng.normal(size=(2, batch, HIDDEN)),
    },
    outputs=("logits", "h_n", "c_n"),
    derived_sizes=(4 * HIDDEN,),
    oracles={"torch.nn": torch_module(LanguageModule)},
    bench=BenchSize(
        shape=f"({B}, {T}, {V}→{D}→{H}→{V})",
        build=lambda m: m.LanguageModel(V, D, H),
        inputs=lambda rng: {"tokens": rng.integers(0, V, size=(B, T))},
    ),
)
