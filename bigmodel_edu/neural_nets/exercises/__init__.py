"""The exercises of chapter 1: their cases, and the mistakes that readers really make."""

from bigmodel_edu.exercise import Exercise

from .activations import RELU_BACKWARD, SOFTMAX
from .autograd import TOPOLOGICAL_ORDER
from .digits_under_budget import DIGITS_UNDER_BUDGET
from .dropout import DROPOUT
from .early_stopping import EARLY_STOPPING
from .gradient_checking import NUMERICAL_GRADIENT
from .linear import LINEAR_BACKWARD, NEURON
from .losses import CROSS_ENTROPY_GRADIENT
from .metrics import MACRO_F1
from .normalization import BATCH_NORM_BACKWARD
from .optimizers import ADAM_STEP

EXERCISES: tuple[Exercise, ...] = (
    NEURON,
    SOFTMAX,
    CROSS_ENTROPY_GRADIENT,
    RELU_BACKWARD,
    LINEAR_BACKWARD,
    NUMERICAL_GRADIENT,
    TOPOLOGICAL_ORDER,
    ADAM_STEP,
    BATCH_NORM_BACKWARD,
    DROPOUT,
    EARLY_STOPPING,
    MACRO_F1,
    DIGITS_UNDER_BUDGET,
)
