"""Chapter 1 on the GPU: the hot parts by hand, in CUDA, the rest through CuPy.

Every class takes CuPy arrays and keeps the contract and the checks of the reference. `init` draws
its parameters with NumPy, as the reference does; `cupy.asarray` moves them to the GPU.
"""

# These are their own twins. NumPy's functions and operators dispatch to CuPy by themselves, so the
# reference runs on the GPU as it stands: x @ W.T is a call of cuBLAS, a sum a reduction kernel.
# What is not fused goes through memory once per operation; none of these is hot enough to matter.
from ..reference import SGD as SGD
from ..reference import Adam as Adam
from ..reference import BatchNorm1d as BatchNorm1d
from ..reference import BinaryCrossEntropyWithLogits as BinaryCrossEntropyWithLogits
from ..reference import Dropout as Dropout
from ..reference import L1Penalty as L1Penalty
from ..reference import L2Penalty as L2Penalty
from ..reference import Linear as Linear
from ..reference import MeanSquaredError as MeanSquaredError
from ..reference import Sequential as Sequential
from ..reference import clip_gradients_by_norm as clip_gradients_by_norm
from .activations import GELU as GELU
from .activations import ReLU as ReLU
from .activations import Sigmoid as Sigmoid
from .activations import Softmax as Softmax
from .activations import Tanh as Tanh
from .activations import elementwise as elementwise
from .composition import mlp as mlp
from .losses import CrossEntropy as CrossEntropy
from .normalization import LayerNorm as LayerNorm
from .optimizers import AdamW as AdamW
