"""Penalties on the factors of facts in PyTorch."""

from torch import Tensor, nn

from .models import EmbeddingModel, as_complex


class FactorPenalty(nn.Module):
    """The mean over facts of Σ_i |s_i|ᵖ + |r_i|ᵖ + |t_i|ᵖ; it shares the tables of the model."""

    def __init__(self, model: EmbeddingModel, power: int = 3) -> None:
        super().__init__()
        self.entity, self.relation = model.entity, model.relation
        self.complex_entities = model.has_complex_entities
        self.complex_relations = model.has_complex_relations
        self.has_angles = model.has_angles
        self.power = power

    def forward(self, sources: Tensor, relations: Tensor, targets: Tensor) -> Tensor:
        rows = self.relation(relations % len(self.relation.weight))
        if self.has_angles:  # they are free: none of them counts, and all gradients are 0
            rows = rows[:, :0]
        factors = (
            moduli(self.entity(sources), self.complex_entities),
            moduli(self.entity(targets), self.complex_entities),
            moduli(rows, self.complex_relations),
        )
        return sum((factor**self.power).sum() for factor in factors) / len(sources)


def moduli(x: Tensor, is_complex: bool) -> Tensor:
    """Return the moduli |x_i| of real numbers (..., d), or of complex ones (..., 2d)."""
    return (as_complex(x) if is_complex else x).abs()
