"""The NumPy reference of chapter 2, written to be read beside the equations."""

from .embedding import Embedding as Embedding
from .embedding import scatter_add as scatter_add
from .gru import GRU as GRU
from .gru import GRUCell as GRUCell
from .initialization import orthogonal as orthogonal
from .initialization import orthogonal_from as orthogonal_from
from .lstm import LSTM as LSTM
from .lstm import LSTMCell as LSTMCell
from .models import LanguageModel as LanguageModel
from .models import SequenceClassifier as SequenceClassifier
from .models import lengths_of as lengths_of
from .ngrams import NGramModel as NGramModel
from .ngrams import bits_per_character as bits_per_character
from .recurrent import RecurrentLayer as RecurrentLayer
from .rnn import RNN as RNN
from .rnn import RNNCell as RNNCell
from .sampling import generate as generate
from .sampling import sample as sample
from .sampling import temperature_probabilities as temperature_probabilities
from .tokenizer import CharacterTokenizer as CharacterTokenizer
from .truncated import truncated_bptt as truncated_bptt
from .truncated import window_gradients as window_gradients
