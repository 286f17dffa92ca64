"""The NumPy reference of chapter 8, written to be read beside the equations."""

from .baselines import Popularity
from .facts import FactIndex
from .losses import LogisticLoss, MarginLoss, SelfAdversarialLoss
from .matching import ComplexDistance, DotProduct, EuclideanDistance, ManhattanDistance, Matching
from .models import ComplEx, DistMult, EmbeddingModel, RotatE, TransE
from .penalties import FactorPenalty
from .queries import path_scores, two_hop_answers, two_hop_scores
from .ranking import (
    Evaluation,
    RankMetrics,
    Ranks,
    ScoreFunction,
    adjusted_mean_rank_index,
    evaluate,
    rank_metrics,
    ranks,
)
from .rgcn import RGCN
from .rules import Rule, RuleModel, mine_rules
from .sampling import (
    bernoulli_head_probability,
    bernoulli_questions,
    filtered_negatives,
    uniform_negatives,
)

__all__ = [
    "RGCN",
    "ComplEx",
    "ComplexDistance",
    "DistMult",
    "DotProduct",
    "EmbeddingModel",
    "EuclideanDistance",
    "Evaluation",
    "FactIndex",
    "FactorPenalty",
    "LogisticLoss",
    "ManhattanDistance",
    "MarginLoss",
    "Matching",
    "Popularity",
    "RankMetrics",
    "Ranks",
    "RotatE",
    "Rule",
    "RuleModel",
    "ScoreFunction",
    "SelfAdversarialLoss",
    "TransE",
    "adjusted_mean_rank_index",
    "bernoulli_head_probability",
    "bernoulli_questions",
    "evaluate",
    "filtered_negatives",
    "mine_rules",
    "path_scores",
    "rank_metrics",
    "ranks",
    "two_hop_answers",
    "two_hop_scores",
    "uniform_negatives",
]
