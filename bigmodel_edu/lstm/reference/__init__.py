"""The NumPy reference of chapter 2, written to be read beside the equations."""

from .embedding import Embedding, scatter_add
from .gru import GRU, GRUCell
from .initialization import orthogonal, orthogonal_from
from .lstm import LSTM, LSTMCell
from .models import LanguageModel, SequenceClassifier, lengths_of
from .ngrams import NGramModel, bits_per_character
from .recurrent import RecurrentLayer
from .rnn import RNN, RNNCell
from .sampling import generate, sample, temperature_probabilities
from .tokenizer import CharacterTokenizer
from .truncated import truncated_bptt, window_gradients

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "CharacterTokenizer",
    "Embedding",
    "GRUCell",
    "LSTMCell",
    "LanguageModel",
    "NGramModel",
    "RNNCell",
    "RecurrentLayer",
    "SequenceClassifier",
    "bits_per_character",
    "generate",
    "lengths_of",
    "orthogonal",
    "orthogonal_from",
    "sample",
    "scatter_add",
    "temperature_probabilities",
    "truncated_bptt",
    "window_gradients",
]
