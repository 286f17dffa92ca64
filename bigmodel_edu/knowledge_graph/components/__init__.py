"""The components of chapter 8: what belongs together, and what judges it from outside."""

from bigmodel_edu.components import Component

from .losses import LOGISTIC_LOSS, MARGIN_LOSS, SELF_ADVERSARIAL_LOSS, SELF_ADVERSARIAL_WEIGHTS
from .models import COMPLEX, DISTMULT, ROTATE, TRANSE_L1, TRANSE_L2
from .penalties import L2, N3, N3_REAL
from .ranking import RANK_METRICS, RANKS
from .rgcn import RGCN
from .sampling import BERNOULLI_HEAD_PROBABILITY

COMPONENTS: tuple[Component, ...] = (
    *TRANSE_L1,
    *TRANSE_L2,
    *DISTMULT,
    *COMPLEX,
    *ROTATE,
    N3,
    N3_REAL,
    L2,
    RGCN,
    MARGIN_LOSS,
    LOGISTIC_LOSS,
    SELF_ADVERSARIAL_LOSS,
    SELF_ADVERSARIAL_WEIGHTS,
    BERNOULLI_HEAD_PROBABILITY,
    RANKS,
    RANK_METRICS,
)
