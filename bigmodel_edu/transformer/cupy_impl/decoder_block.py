"""The block of today's decoders on the GPU: the reference, with the twins for its parts."""

from dataclasses import dataclass

from .. import reference
from .attention import MultiHeadAttention
from .feed_forward import SwiGLU
from .normalization import RMSNorm


@dataclass(frozen=True)
class DecoderBlock(reference.DecoderBlock):
    Attention = MultiHeadAttention
    FeedForward = SwiGLU
    Norm = RMSNorm
