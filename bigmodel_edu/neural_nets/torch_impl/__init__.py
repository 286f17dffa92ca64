"""Chapter 1 in PyTorch, as a practitioner would write it.

The modules take the hyperparameters of the reference, their `state_dict` has its keys, and they
lean on `torch.nn.functional`.
"""

from .activations import GELU as GELU
from .activations import ReLU as ReLU
from .activations import Sigmoid as Sigmoid
from .activations import Softmax as Softmax
from .activations import Tanh as Tanh
from .composition import Sequential as Sequential
from .composition import mlp as mlp
from .dropout import Dropout as Dropout
from .linear import Linear as Linear
from .losses import BinaryCrossEntropyWithLogits as BinaryCrossEntropyWithLogits
from .losses import CrossEntropy as CrossEntropy
from .losses import MeanSquaredError as MeanSquaredError
from .normalization import BatchNorm1d as BatchNorm1d
from .normalization import LayerNorm as LayerNorm
from .optimizers import SGD as SGD
from .optimizers import Adam as Adam
from .optimizers import AdamW as AdamW
from .regularization import L1Penalty as L1Penalty
from .regularization import L2Penalty as L2Penalty
from .regularization import clip_gradients_by_norm as clip_gradients_by_norm
