"""The encoder layer on the GPU: the reference, with the twins for its parts."""

from dataclasses import dataclass

from bigmodel_edu.neural_nets.cupy_impl import LayerNorm

from .. import reference
from .attention import MultiHeadAttention
from .feed_forward import FeedForward


@dataclass(frozen=True)
class EncoderLayer(reference.EncoderLayer):
    Attention = MultiHeadAttention
    FeedForward = FeedForward
    Norm = LayerNorm
