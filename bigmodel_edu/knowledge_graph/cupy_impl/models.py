"""The models on the GPU: candidates are left in the table of entities."""

from dataclasses import dataclass

from bigmodel_edu.layer import Array, Cache, expect_shape
from bigmodel_edu.lstm.cupy_impl import scatter_add

from .. import reference
from .matching import ComplexDistance, DotProduct, EuclideanDistance, ManhattanDistance, Measured


class OnKernels:
    """What the twins of the models share: candidates are left in the table, and kernels add up.

    The reference gathers candidates to an array (B, N, W), and scatters one of that size back. Its
    `np.add.reduceat` would run here as well, but CuPy computes it from a running sum over all rows,
    of which every row is a difference: in float32 that costs digits.
    """

    scatter_add = staticmethod(scatter_add)

    def match(self, q: Array, entities: Array, candidates: Array | None) -> tuple[Array, Cache]:
        if candidates is None or candidates.ndim == 1:
            return super().match(q, entities, candidates)
        scores = self.matching.score_chosen(q, entities, candidates)
        return scores, (candidates, (q, scores))

    def match_backward(self, cache: Cache, entities: Array, dy: Array) -> tuple[Array, Array]:
        candidates, match_cache = cache
        if candidates is None or candidates.ndim == 1:
            return super().match_backward(cache, entities, dy)
        q, scores = match_cache
        expect_shape("dy", dy, *scores.shape)
        return self.matching.chosen_backward(q, entities, candidates, scores, dy)


@dataclass(frozen=True)
class TransE(OnKernels, reference.TransE):
    @property
    def matching(self) -> Measured:
        return ManhattanDistance() if self.p == 1 else EuclideanDistance()


@dataclass(frozen=True)
class DistMult(OnKernels, reference.DistMult):
    @property
    def matching(self) -> Measured:
        return DotProduct()


@dataclass(frozen=True)
class ComplEx(OnKernels, reference.ComplEx):
    @property
    def matching(self) -> Measured:
        return DotProduct()


@dataclass(frozen=True)
class RotatE(OnKernels, reference.RotatE):
    @property
    def matching(self) -> Measured:
        return ComplexDistance()
