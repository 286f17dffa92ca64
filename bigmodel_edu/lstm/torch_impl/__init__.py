"""Chapter 2 in PyTorch, as a practitioner would write it.

The modules take the hyperparameters of the reference, their `state_dict` has its keys, and they
lean on `torch.nn`. Sequences are batch first; where the reference returns a flat tuple, so do they.
"""

from .embedding import Embedding as Embedding
from .gru import GRU as GRU
from .gru import GRUCell as GRUCell
from .lstm import LSTM as LSTM
from .lstm import LSTMCell as LSTMCell
from .models import LanguageModel as LanguageModel
from .models import SequenceClassifier as SequenceClassifier
from .recurrent import Recurrent as Recurrent
from .rnn import RNN as RNN
from .rnn import RNNCell as RNNCell
from .truncated import truncated_bptt as truncated_bptt
