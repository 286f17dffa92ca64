"""The exercises of chapter 4: their cases, and the mistakes that readers really make."""

from bigmodel_edu.exercise import Exercise

from .attention import (
    ATTENTION,
    ATTENTION_WEIGHTS_BACKWARD,
    GROUPED_QUERY_SCORES,
    JOIN_HEADS,
    SPLIT_HEADS,
)
from .costs import ATTENTION_FLOPS
from .decoding import BEAM_SEARCH
from .flash import MERGE_TILES
from .masks import CAUSAL_MASK_FOR_STEP
from .normalization import RMS_NORM_BACKWARD
from .positions import ROTARY, SINUSOIDAL_POSITIONS
from .translate import TRANSLATE

EXERCISES: tuple[Exercise, ...] = (
    ATTENTION,
    ATTENTION_WEIGHTS_BACKWARD,
    SPLIT_HEADS,
    JOIN_HEADS,
    SINUSOIDAL_POSITIONS,
    ROTARY,
    CAUSAL_MASK_FOR_STEP,
    RMS_NORM_BACKWARD,
    MERGE_TILES,
    GROUPED_QUERY_SCORES,
    BEAM_SEARCH,
    ATTENTION_FLOPS,
    TRANSLATE,
)
