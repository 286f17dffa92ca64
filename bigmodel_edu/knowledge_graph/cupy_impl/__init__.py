"""Chapter 8 on the GPU: comparing queries with candidates by hand, in CUDA.

Every class takes CuPy arrays and keeps the contract and the checks of the reference. Queries are
the reference's own: a few operations on (B, W) numbers. What is hot is to compare them with every
entity, or each with candidates of its own, and to bring the gradients back to the tables.
"""

# These are their own twins: NumPy's functions dispatch to CuPy. They run once per batch, on few
# numbers beside those that are scored.
from ..reference import FactorPenalty as FactorPenalty
from ..reference import LogisticLoss as LogisticLoss
from ..reference import MarginLoss as MarginLoss
from ..reference import SelfAdversarialLoss as SelfAdversarialLoss
from ..reference import adjusted_mean_rank_index as adjusted_mean_rank_index
from ..reference import path_scores as path_scores
from ..reference import rank_metrics as rank_metrics
from ..reference import ranks as ranks
from .matching import ComplexDistance as ComplexDistance
from .matching import DotProduct as DotProduct
from .matching import EuclideanDistance as EuclideanDistance
from .matching import ManhattanDistance as ManhattanDistance
from .models import ComplEx as ComplEx
from .models import DistMult as DistMult
from .models import RotatE as RotatE
from .models import TransE as TransE
from .rgcn import RGCN as RGCN
