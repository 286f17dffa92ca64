"""The models of chapter 2 on the GPU, built from its twins."""

from dataclasses import dataclass
from typing import ClassVar

from bigmodel_edu.layer import Layer
from bigmodel_edu.neural_nets.cupy_impl import Linear

from .. import reference
from .embedding import Embedding
from .lstm import LSTM


@dataclass(frozen=True)
class SequenceClassifier(reference.SequenceClassifier):
    Embedding: ClassVar[type[Layer]] = Embedding
    LSTM: ClassVar[type[Layer]] = LSTM
    Linear: ClassVar[type[Layer]] = Linear


@dataclass(frozen=True)
class LanguageModel(reference.LanguageModel):
    Embedding: ClassVar[type[Layer]] = Embedding
    LSTM: ClassVar[type[Layer]] = LSTM
    Linear: ClassVar[type[Layer]] = Linear
