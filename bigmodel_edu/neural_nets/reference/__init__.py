"""The NumPy reference of chapter 1, written to be read beside the equations."""

from .activations import GELU, ReLU, Sigmoid, Softmax, Tanh, log_softmax, sigmoid, softmax
from .composition import Sequential, mlp
from .dropout import Dropout
from .initialization import he_normal, he_uniform, xavier_normal, xavier_uniform
from .linear import Linear
from .losses import BinaryCrossEntropyWithLogits, CrossEntropy, MeanSquaredError
from .metrics import accuracy, confusion_matrix, f1_score, precision, recall, roc_auc
from .normalization import BatchNorm1d, LayerNorm
from .optimizers import SGD, Adam, AdamW, Optimizer
from .regularization import L1Penalty, L2Penalty, clip_gradients_by_norm
from .schedules import ConstantSchedule, CosineSchedule, StepSchedule, WarmUp
from .splitting import k_fold

__all__ = [
    "GELU",
    "SGD",
    "Adam",
    "AdamW",
    "BatchNorm1d",
    "BinaryCrossEntropyWithLogits",
    "ConstantSchedule",
    "CosineSchedule",
    "CrossEntropy",
    "Dropout",
    "L1Penalty",
    "L2Penalty",
    "LayerNorm",
    "Linear",
    "MeanSquaredError",
    "Optimizer",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "StepSchedule",
    "Tanh",
    "WarmUp",
    "accuracy",
    "clip_gradients_by_norm",
    "confusion_matrix",
    "f1_score",
    "he_normal",
    "he_uniform",
    "k_fold",
    "log_softmax",
    "mlp",
    "precision",
    "recall",
    "roc_auc",
    "sigmoid",
    "softmax",
    "xavier_normal",
    "xavier_uniform",
]
