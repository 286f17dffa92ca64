"""The encoder-decoder on the GPU: the reference, with the twins for its parts."""

from dataclasses import dataclass

from bigmodel_edu.lstm.cupy_impl import Embedding
from bigmodel_edu.neural_nets.cupy_impl import LayerNorm

from .. import reference
from .decoder_layer import DecoderLayer
from .encoder_layer import EncoderLayer


@dataclass(frozen=True)
class Transformer(reference.Transformer):
    Encoder = EncoderLayer
    Decoder = DecoderLayer
    Norm = LayerNorm
    Embedding = Embedding
