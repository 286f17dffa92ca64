"""Chapter 4 on the GPU: the hot parts by hand, in CUDA, the rest through CuPy.

Every class takes CuPy arrays and keeps the contract and the checks of the reference. The composites
are the reference's own, built of the twins here and in chapter 1. Parameters are drawn with NumPy,
as in the reference; `cupy.asarray` moves them to the GPU.
"""

# These are their own twins: NumPy's functions dispatch to CuPy, so they run on the GPU as they are.
# Additions of a table, matrix products by cuBLAS, and what runs once per sequence, on few numbers.
from ..reference import InverseSquareRootWarmUp as InverseSquareRootWarmUp
from ..reference import KeyValueCache as KeyValueCache
from ..reference import LearnedPositions as LearnedPositions
from ..reference import Residual as Residual
from ..reference import SinusoidalPositions as SinusoidalPositions
from ..reference import beam_search as beam_search
from ..reference import causal_mask as causal_mask
from ..reference import combine as combine
from ..reference import greedy_decode as greedy_decode
from ..reference import join_heads as join_heads
from ..reference import merge_tiles as merge_tiles
from ..reference import padding_mask as padding_mask
from ..reference import split_heads as split_heads
from .attention import MultiHeadAttention as MultiHeadAttention
from .attention import ScaledDotProductAttention as ScaledDotProductAttention
from .decoder_block import DecoderBlock as DecoderBlock
from .decoder_layer import DecoderLayer as DecoderLayer
from .encoder_layer import EncoderLayer as EncoderLayer
from .feed_forward import FeedForward as FeedForward
from .feed_forward import SwiGLU as SwiGLU
from .flash import FlashAttention as FlashAttention
from .normalization import RMSNorm as RMSNorm
from .positions import RotaryPositions as RotaryPositions
from .transformer import Transformer as Transformer
