"""The models of chapter 2 in PyTorch: one that classifies, one that writes."""

import torch
from torch import Tensor, nn

from bigmodel_edu.neural_nets.torch_impl import Dropout, Linear

from .embedding import Embedding
from .lstm import LSTM


class SequenceClassifier(nn.Module):
    """Embedding, LSTM, dropout, linear layer: logits (B, C) of tokens (B, T), padded with 0."""

    def __init__(
        self,
        vocabulary_size: int,
        embedding_dim: int,
        hidden_size: int,
        n_classes: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        padding_idx: int = 0,
    ) -> None:
        super().__init__()
        self.padding_idx = padding_idx
        self.embedding = Embedding(vocabulary_size, embedding_dim, padding_idx)
        # nn.LSTM warns of a dropout that has no second layer to act before
        between = dropout if num_layers > 1 else 0.0
        self.lstm = LSTM(embedding_dim, hidden_size, num_layers, bidirectional, between)
        self.dropout = Dropout(dropout)
        self.output = Linear((1 + bidirectional) * hidden_size, n_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        lengths = (tokens != self.padding_idx).sum(dim=1)
        _, h_n, _ = self.lstm(self.embedding(tokens), lengths=lengths)
        directions = 2 if self.lstm.bidirectional else 1
        final = torch.cat(tuple(h_n[-directions:]), dim=-1)
        return self.output(self.dropout(final))


class LanguageModel(nn.Module):
    """Embedding, LSTM, linear layer: logits (B, T, V) of the token that follows each of (B, T)."""

    def __init__(
        self,
        vocabulary_size: int,
        embedding_dim: int,
        hidden_size: int,
        num_layers: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = Embedding(vocabulary_size, embedding_dim)
        between = dropout if num_layers > 1 else 0.0
        self.lstm = LSTM(embedding_dim, hidden_size, num_layers, dropout=between)
        self.dropout = Dropout(dropout)
        self.output = Linear(hidden_size, vocabulary_size)

    def forward(self, tokens: Tensor, *states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y, h_n, c_n = self.lstm(self.embedding(tokens), *states)
        return self.output(self.dropout(y)), h_n, c_n
