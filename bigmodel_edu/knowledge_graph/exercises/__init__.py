"""The exercises of chapter 8: their cases, and the mistakes that readers really make."""

from bigmodel_edu.exercise import Exercise

from .complete_graph import COMPLETE_GRAPH
from .leaks import LEAKS
from .losses import MARGIN_GRADIENT, SELF_ADVERSARIAL_WEIGHTS
from .models import COMPLEX_SCORE, COMPOSE, TRANSE_SCORE, TURN_BACK
from .queries import TWO_HOP
from .ranking import FILTERED_RANK, RANKING_METRICS
from .rules import RULE_CONFIDENCE
from .sampling import BERNOULLI

EXERCISES: tuple[Exercise, ...] = (
    FILTERED_RANK,
    RANKING_METRICS,
    LEAKS,
    TRANSE_SCORE,
    COMPLEX_SCORE,
    TURN_BACK,
    COMPOSE,
    MARGIN_GRADIENT,
    BERNOULLI,
    SELF_ADVERSARIAL_WEIGHTS,
    RULE_CONFIDENCE,
    TWO_HOP,
    COMPLETE_GRAPH,
)
