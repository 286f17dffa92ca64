"""The components of chapter 2: what belongs together, and what judges it from outside."""

from bigmodel_edu.components import Component

from .embedding import EMBEDDING
from .gru import GRU, GRU_CELL, GRU_DEEP, GRU_PADDED
from .initialization import ORTHOGONAL
from .lstm import LSTM, LSTM_CELL, LSTM_DEEP, LSTM_PADDED
from .models import LANGUAGE_MODEL, SEQUENCE_CLASSIFIER, SEQUENCE_CLASSIFIER_BOTH_WAYS
from .ngrams import BITS_PER_CHARACTER, NGRAM_MODEL
from .rnn import RNN, RNN_CELL, RNN_DEEP, RNN_PADDED
from .sampling import TEMPERATURE_PROBABILITIES
from .truncated import TRUNCATED_BPTT, TRUNCATED_BPTT_WHOLE

COMPONENTS: tuple[Component, ...] = (
    EMBEDDING,
    RNN_CELL,
    LSTM_CELL,
    GRU_CELL,
    RNN,
    LSTM,
    GRU,
    RNN_PADDED,
    LSTM_PADDED,
    GRU_PADDED,
    RNN_DEEP,
    LSTM_DEEP,
    GRU_DEEP,
    SEQUENCE_CLASSIFIER,
    SEQUENCE_CLASSIFIER_BOTH_WAYS,
    LANGUAGE_MODEL,
    TRUNCATED_BPTT,
    TRUNCATED_BPTT_WHOLE,
    ORTHOGONAL,
    TEMPERATURE_PROBABILITIES,
    NGRAM_MODEL,
    BITS_PER_CHARACTER,
)
