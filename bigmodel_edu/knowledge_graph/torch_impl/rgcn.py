"""The relational graph convolution in PyTorch."""

import torch
from torch import Tensor, nn


class RGCN(nn.Module):
    """Messages along edges (M, 3) of source, relation, target; x (E, I), y (E, O)."""

    def __init__(
        self, in_features: int, out_features: int, num_relations: int, num_bases: int
    ) -> None:
        super().__init__()
        self.num_relations = num_relations
        self.bases = nn.Parameter(torch.empty(num_bases, out_features, in_features))
        self.coefficients = nn.Parameter(torch.empty(2 * num_relations, num_bases))
        self.self_loop = nn.Linear(in_features, out_features)
        nn.init.normal_(self.bases, std=(2 / (in_features + out_features)) ** 0.5)
        nn.init.normal_(self.coefficients, std=num_bases**-0.5)

    def forward(self, x: Tensor, *, edges: Tensor) -> Tensor:
        sources, relations, targets = edges[edges[:, 1].argsort()].T  # one relation after another
        weights = torch.einsum("rn,noi->rio", self.coefficients, self.bases)
        own = x[sources].split(relations.bincount(minlength=len(weights)).tolist())
        messages = torch.cat([x_r @ weight for x_r, weight in zip(own, weights, strict=True)])
        groups = targets * len(weights) + relations  # edges that share one mean
        messages = messages / groups.bincount()[groups][:, None]
        return self.self_loop(x).index_add(0, targets, messages)
