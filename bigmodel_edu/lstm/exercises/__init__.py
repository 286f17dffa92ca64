"""The exercises of chapter 2: their cases, and the mistakes that readers really make."""

from bigmodel_edu.exercise import Exercise

from .beat_the_ngrams import BEAT_THE_NGRAMS
from .clipping import CLIP_BY_GLOBAL_NORM
from .gru import GRU_STEP
from .initialization import ORTHOGONAL_MATRIX
from .lstm import LSTM_STEP, LSTM_STEP_BACKWARD
from .ngrams import BIGRAM_BITS, BITS_PER_CHARACTER
from .padding import MASKED_MEAN_LOSS
from .rnn import RNN_STEP, RNN_STEP_BACKWARD
from .sampling import TEMPERATURE_PROBABILITIES

EXERCISES: tuple[Exercise, ...] = (
    RNN_STEP,
    RNN_STEP_BACKWARD,
    ORTHOGONAL_MATRIX,
    CLIP_BY_GLOBAL_NORM,
    LSTM_STEP,
    LSTM_STEP_BACKWARD,
    GRU_STEP,
    MASKED_MEAN_LOSS,
    BITS_PER_CHARACTER,
    BIGRAM_BITS,
    TEMPERATURE_PROBABILITIES,
    BEAT_THE_NGRAMS,
)
