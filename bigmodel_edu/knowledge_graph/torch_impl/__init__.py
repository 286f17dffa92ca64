"""Chapter 8 in PyTorch, as a practitioner would write it."""

from .losses import LogisticLoss as LogisticLoss
from .losses import MarginLoss as MarginLoss
from .losses import SelfAdversarialLoss as SelfAdversarialLoss
from .models import ComplEx as ComplEx
from .models import DistMult as DistMult
from .models import EmbeddingModel as EmbeddingModel
from .models import RotatE as RotatE
from .models import TransE as TransE
from .penalties import FactorPenalty as FactorPenalty
from .rgcn import RGCN as RGCN
