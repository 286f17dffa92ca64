"""Chapter 8 in PyTorch, as a practitioner would write it."""

from .losses import LogisticLoss, MarginLoss, SelfAdversarialLoss
from .models import ComplEx, DistMult, EmbeddingModel, RotatE, TransE
from .penalties import FactorPenalty
from .rgcn import RGCN

__all__ = [
    "RGCN",
    "ComplEx",
    "DistMult",
    "EmbeddingModel",
    "FactorPenalty",
    "LogisticLoss",
    "MarginLoss",
    "RotatE",
    "SelfAdversarialLoss",
    "TransE",
]
