"""Chapter 4 in PyTorch, as a practitioner would write it.

The modules take the hyperparameters of the reference and their `state_dict` has its keys. The
attention is `F.scaled_dot_product_attention`, which PyTorch runs as one fused kernel.
"""

from .attention import MultiHeadAttention as MultiHeadAttention
from .attention import ScaledDotProductAttention as ScaledDotProductAttention
from .attention import attend as attend
from .decoder_block import DecoderBlock as DecoderBlock
from .decoder_layer import DecoderLayer as DecoderLayer
from .encoder_layer import EncoderLayer as EncoderLayer
from .feed_forward import FeedForward as FeedForward
from .feed_forward import SwiGLU as SwiGLU
from .flash import FlashAttention as FlashAttention
from .masks import causal_mask as causal_mask
from .normalization import RMSNorm as RMSNorm
from .positions import LearnedPositions as LearnedPositions
from .positions import RotaryPositions as RotaryPositions
from .positions import SinusoidalPositions as SinusoidalPositions
from .transformer import Transformer as Transformer
