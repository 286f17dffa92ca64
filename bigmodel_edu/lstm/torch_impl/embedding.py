"""The embedding in PyTorch."""

from torch import nn


class Embedding(nn.Embedding):
    """A learned vector for each token. Shapes: tokens (...), y (..., D)."""

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx)
