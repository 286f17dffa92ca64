"""A table of entities computed from their neighbours, by one relational graph convolution."""

import torch
from torch import Tensor, nn

from bigmodel_edu.data import KnowledgeGraph

from ..torch_impl import RGCN


class GraphEncoder(nn.Module):
    """Rows (E, `width`) of all entities: a learnt input for each, passed on along the facts.

    The edges are the training facts and their inverses. Called without arguments, as
    `training.train` calls its encoder. In training each edge is left out of a call with the
    probability `dropout`, so that rows rest less on the very facts that are asked about.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        width: int,
        *,
        hidden: int = 64,
        num_bases: int = 8,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.input = nn.Parameter(0.3 * torch.randn(graph.num_entities, hidden))
        self.layer = RGCN(hidden, width, graph.num_relations, num_bases)
        self.register_buffer("edges", torch.from_numpy(graph.questions("train")))
        self.dropout = dropout

    def forward(self) -> Tensor:
        edges = self.edges
        if self.training and self.dropout:
            edges = edges[torch.rand(len(edges)) >= self.dropout]
        return self.layer(self.input, edges=edges)
