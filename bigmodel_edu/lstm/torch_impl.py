"""Chapter 2 in PyTorch, as a practitioner would write it.

The modules take the hyperparameters of the reference, their `state_dict` has its keys, and they
lean on `torch.nn`. Sequences are batch first; where the reference returns a flat tuple, so do they.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from bigmodel_edu.neural_nets.torch_impl import Dropout, Linear


class Embedding(nn.Embedding):
    """A learned vector for each token. Shapes: tokens (...), y (..., D)."""

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx)


class RNNCell(nn.RNNCell):
    """One step of a tanh network. Shapes: x (B, D), h (B, H)."""


class LSTMCell(nn.LSTMCell):
    """One step of an LSTM. Shapes: x (B, D), h and c (B, H)."""

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(x, (h, c))


class GRUCell(nn.GRUCell):
    """One step of a GRU. Shapes: x (B, D), h (B, H)."""


class Recurrent:
    """What RNN, LSTM and GRU share: batch first, padded sequences, a flat tuple of results."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            batch_first=True,
            bidirectional=bidirectional,
            dropout=dropout,
        )

    def forward(
        self, x: Tensor, *states: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        initial = None if not states else states if len(states) > 1 else states[0]
        if lengths is None:
            y, final = super().forward(x, initial)
        else:
            packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
            packed, final = super().forward(packed, initial)
            y, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])
        return (y, *final) if isinstance(final, tuple) else (y, final)


class RNN(Recurrent, nn.RNN):
    """Layers of tanh cells over a sequence; returns y, h_n."""


class LSTM(Recurrent, nn.LSTM):
    """Layers of LSTM cells over a sequence; returns y, h_n, c_n."""


class GRU(Recurrent, nn.GRU):
    """Layers of GRU cells over a sequence; returns y, h_n."""


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


def truncated_bptt(
    model: LanguageModel, tokens: Tensor, targets: Tensor, window: int
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Add truncated gradients to the parameters' `grad`; return the mean loss and final states."""
    n_steps, states, total = tokens.shape[1], (), 0
    for start in range(0, n_steps, window):
        piece = slice(start, start + window)
        logits, *states = model(tokens[:, piece], *(state.detach() for state in states))
        share = tokens[:, piece].shape[1] / n_steps
        loss = share * F.cross_entropy(logits.flatten(0, 1), targets[:, piece].flatten())
        loss.backward()
        total = total + loss.detach()
    return total, tuple(state.detach() for state in states)
