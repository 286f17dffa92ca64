"""The embedding models in PyTorch. Shapes as in the reference."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

NUMBERS = 2**22  # differences of queries and all candidates that are held at a time


class EmbeddingModel(nn.Module):
    """What the models share; see the reference for shapes and for the inverses of relations."""

    has_complex_entities: ClassVar[bool] = False
    has_complex_relations: ClassVar[bool] = False
    has_angles: ClassVar[bool] = False

    def __init__(
        self, num_entities: int, num_relations: int, dim: int, reciprocal: bool = False
    ) -> None:
        super().__init__()
        self.num_relations, self.reciprocal = num_relations, reciprocal
        self.entity = nn.Embedding(num_entities, dim * (1 + self.has_complex_entities))
        self.relation = nn.Embedding(
            num_relations * (1 + reciprocal), dim * (1 + self.has_complex_relations)
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.entity.weight, std=0.1)
        nn.init.normal_(self.relation.weight, std=0.1)

    def forward(
        self, sources: Tensor, relations: Tensor, candidates: Tensor | None = None
    ) -> Tensor:
        q = self.query(self.entity(sources), self.relation_rows(relations))
        if candidates is None:
            return self.score_all(q, self.entity.weight)
        if candidates.ndim == 1:
            return self.score_all(q, self.entity(candidates))
        return self.score(q[:, None], self.entity(candidates))

    def relation_rows(self, relations: Tensor) -> Tensor:
        """Return the rows (B, W') that stand for the relations, inverted where asked for."""
        if self.reciprocal:
            return self.relation(relations)
        rows = self.relation(relations % self.num_relations)
        is_inverse = (relations >= self.num_relations)[:, None]
        return torch.where(is_inverse, self.inverse(rows), rows)

    def query(self, s: Tensor, r: Tensor) -> Tensor:
        """Return q (B, W) of sources (B, W) and relations (B, W')."""
        raise NotImplementedError

    def inverse(self, r: Tensor) -> Tensor:
        """Return what stands for the inverses of the relations."""
        raise NotImplementedError

    def score(self, q: Tensor, t: Tensor) -> Tensor:
        """Return the scores (B, N) of queries (B, 1, W) and their candidates (B, N, W)."""
        raise NotImplementedError

    def score_all(self, q: Tensor, t: Tensor) -> Tensor:
        """Return the scores (B, E) of queries (B, W) and shared candidates (E, W)."""
        raise NotImplementedError


class TransE(EmbeddingModel):
    """A relation is a step: the distance of s + r from t."""

    def __init__(
        self,
        num_entities: int,
        num_relations: int,
        dim: int,
        reciprocal: bool = False,
        p: int = 2,
    ) -> None:
        super().__init__(num_entities, num_relations, dim, reciprocal)
        self.p = p

    def query(self, s: Tensor, r: Tensor) -> Tensor:
        return s + r

    def inverse(self, r: Tensor) -> Tensor:
        return -r

    def score(self, q: Tensor, t: Tensor) -> Tensor:
        return -torch.linalg.vector_norm(q - t, ord=self.p, dim=-1)

    def score_all(self, q: Tensor, t: Tensor) -> Tensor:
        return -torch.cdist(q, t, p=self.p)


class DotProduct:
    """The score is a dot product, and all scores of shared candidates one matrix product."""

    def score(self, q: Tensor, t: Tensor) -> Tensor:
        return (q @ t.mT)[:, 0]

    def score_all(self, q: Tensor, t: Tensor) -> Tensor:
        return q @ t.T


class DistMult(DotProduct, EmbeddingModel):
    """A relation weighs features: Σ_i s_i r_i t_i."""

    def query(self, s: Tensor, r: Tensor) -> Tensor:
        return s * r

    def inverse(self, r: Tensor) -> Tensor:
        return r


class ComplEx(DotProduct, EmbeddingModel):
    """DistMult with complex numbers: Re Σ_i s_i r_i t̄_i."""

    has_complex_entities: ClassVar[bool] = True
    has_complex_relations: ClassVar[bool] = True

    def query(self, s: Tensor, r: Tensor) -> Tensor:
        return as_reals(as_complex(s) * as_complex(r))

    def inverse(self, r: Tensor) -> Tensor:
        return as_reals(as_complex(r).conj())


class RotatE(EmbeddingModel):
    """A relation is a rotation: Σ_i |s_i e^{iθ_i} - t_i|."""

    has_complex_entities: ClassVar[bool] = True
    has_angles: ClassVar[bool] = True

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.uniform_(self.relation.weight, -torch.pi, torch.pi)

    def query(self, s: Tensor, r: Tensor) -> Tensor:
        return as_reals(as_complex(s) * torch.polar(torch.ones_like(r), r))

    def inverse(self, r: Tensor) -> Tensor:
        return -r

    def score(self, q: Tensor, t: Tensor) -> Tensor:
        # torch.hypot is quicker, but its gradient at distance 0 is NaN
        return -(as_complex(q) - as_complex(t)).abs().sum(dim=-1)

    def score_all(self, q: Tensor, t: Tensor) -> Tensor:
        # A few queries at a time; checkpoint forgets their differences until backward needs them.
        pieces = (
            checkpoint(self.score, piece[:, None], t, use_reentrant=False)
            for piece in q.split(max(1, NUMBERS // t.numel()))
        )
        return torch.cat(tuple(pieces))


def as_complex(x: Tensor) -> Tensor:
    """Return complex numbers (..., d) of their real, then their imaginary parts (..., 2d)."""
    return torch.complex(*(part.contiguous() for part in x.chunk(2, dim=-1)))


def as_reals(z: Tensor) -> Tensor:
    """Return the real, then the imaginary parts (..., 2d) of complex numbers (..., d)."""
    return torch.cat((z.real, z.imag), dim=-1)
