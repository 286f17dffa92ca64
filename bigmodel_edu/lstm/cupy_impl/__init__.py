"""Chapter 2 on the GPU: the elementwise part of a step and the embedding by hand, in CUDA.

Every class takes CuPy arrays and keeps the contract and the checks of the reference. The loop over
the steps, directions and layers is the reference's own; only the cell that it calls is another.
"""

# These are their own twins: NumPy's functions dispatch to CuPy.
from ..reference import bits_per_character as bits_per_character
from ..reference import temperature_probabilities as temperature_probabilities
from ..reference import truncated_bptt as truncated_bptt
from ..reference import window_gradients as window_gradients
from .embedding import Embedding as Embedding
from .embedding import scatter_add as scatter_add
from .gru import GRU as GRU
from .gru import GRUCell as GRUCell
from .lstm import LSTM as LSTM
from .lstm import LSTMCell as LSTMCell
from .models import LanguageModel as LanguageModel
from .models import SequenceClassifier as SequenceClassifier
from .rnn import RNN as RNN
from .rnn import RNNCell as RNNCell
