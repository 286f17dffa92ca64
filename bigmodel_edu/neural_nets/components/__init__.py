"""The components of chapter 1: what belongs together, and what judges it from outside."""

from bigmodel_edu.components import Component

from .activations import GELU, GELU_TANH, RELU, SIGMOID, SOFTMAX, TANH
from .composition import MLP, SEQUENTIAL
from .dropout import DROPOUT
from .initialization import HE_NORMAL, HE_UNIFORM, XAVIER_NORMAL, XAVIER_UNIFORM
from .linear import LINEAR
from .losses import (
    BINARY_CROSS_ENTROPY_WITH_LOGITS,
    CROSS_ENTROPY,
    CROSS_ENTROPY_SMOOTHED,
    MEAN_SQUARED_ERROR,
)
from .metrics import ACCURACY, CONFUSION_MATRIX, F1_SCORE, PRECISION, RECALL, ROC_AUC
from .normalization import BATCH_NORM, BATCH_NORM_INFERENCE, LAYER_NORM
from .optimizers import ADAM, ADAMW, MOMENTUM, NESTEROV, SGD
from .regularization import (
    CLIP_GRADIENTS_BY_NORM,
    CLIP_GRADIENTS_BY_NORM_UNNEEDED,
    L1_PENALTY,
    L2_PENALTY,
)
from .schedules import CONSTANT_SCHEDULE, COSINE_SCHEDULE, STEP_SCHEDULE, WARM_UP
from .splitting import K_FOLD

COMPONENTS: tuple[Component, ...] = (
    LINEAR,
    SIGMOID,
    TANH,
    RELU,
    GELU,
    GELU_TANH,
    SOFTMAX,
    MEAN_SQUARED_ERROR,
    BINARY_CROSS_ENTROPY_WITH_LOGITS,
    CROSS_ENTROPY,
    CROSS_ENTROPY_SMOOTHED,
    DROPOUT,
    BATCH_NORM,
    BATCH_NORM_INFERENCE,
    LAYER_NORM,
    SEQUENTIAL,
    MLP,
    L1_PENALTY,
    L2_PENALTY,
    CLIP_GRADIENTS_BY_NORM,
    CLIP_GRADIENTS_BY_NORM_UNNEEDED,
    XAVIER_UNIFORM,
    XAVIER_NORMAL,
    HE_UNIFORM,
    HE_NORMAL,
    SGD,
    MOMENTUM,
    NESTEROV,
    ADAM,
    ADAMW,
    CONSTANT_SCHEDULE,
    STEP_SCHEDULE,
    COSINE_SCHEDULE,
    WARM_UP,
    ACCURACY,
    CONFUSION_MATRIX,
    PRECISION,
    RECALL,
    F1_SCORE,
    ROC_AUC,
    K_FOLD,
)
