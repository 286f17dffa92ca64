"""Two networks around an LSTM: one that classifies a sequence, one that predicts its next token."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bigmodel_edu.errors import LengthError
from bigmodel_edu.layer import (
    Array,
    BackwardPass,
    Cache,
    Composite,
    ForwardPass,
    Gradients,
    Layer,
    Outputs,
    Params,
    expect_shape,
    expect_tokens,
)
from bigmodel_edu.neural_nets.reference import Dropout, Linear

from .embedding import Embedding
from .lstm import LSTM


@dataclass(frozen=True)
class SequenceClassifier(Composite):
    """Embedding, LSTM, dropout, linear layer: logits from the state at the end of each sequence.

    Dropout acts between the layers of the LSTM and before the linear layer. With two layers this is
    Embedding → LSTM → Dropout → LSTM → Dropout → Dense. With `bidirectional` the final states of
    both directions stand side by side.

    Shapes: tokens (B, T), padded at the end with `padding_idx`; logits (B, C), C = `n_classes`.
    Parameters have the prefixes ``embedding.``, ``lstm.`` and ``output.``.
    """

    vocabulary_size: int
    embedding_dim: int
    hidden_size: int
    n_classes: int
    num_layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.0
    padding_idx: int = 0
    mode_dependent: ClassVar[bool] = True
    Embedding: ClassVar[type[Layer]] = Embedding
    LSTM: ClassVar[type[Layer]] = LSTM
    Linear: ClassVar[type[Layer]] = Linear

    def named_parts(self) -> dict[str, Layer]:
        sizes = (self.embedding_dim, self.hidden_size, self.num_layers)
        return {
            "embedding": self.Embedding(self.vocabulary_size, self.embedding_dim, self.padding_idx),
            "lstm": self.LSTM(*sizes, self.bidirectional, self.dropout),
            "dropout": Dropout(self.dropout),
            "output": self.Linear(self.n_directions * self.hidden_size, self.n_classes),
        }

    @property
    def n_directions(self) -> int:
        """In how many directions the LSTM reads."""
        return 2 if self.bidirectional else 1

    def forward(
        self,
        params: Params,
        tokens: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Cache]:
        expect_tokens("tokens", tokens, self.vocabulary_size)
        lengths = lengths_of(tokens, self.padding_idx)
        run = ForwardPass(self, params, training=training, rng=rng)
        x = run("embedding", tokens)
        y, h_n, _ = run("lstm", x, lengths=lengths)
        final = np.concatenate([h_n[-k] for k in range(self.n_directions, 0, -1)], axis=-1)
        logits = run("output", run("dropout", final))
        return logits, run.cache(y.shape, h_n.shape)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        back = BackwardPass(self, params, cache)
        y_shape, h_shape = back.own
        (d_final,) = back("output", dy)
        (d_final,) = back("dropout", d_final)
        zeros = {"dtype": dy.dtype, "like": dy}
        dh_n, dc_n = np.zeros(h_shape, **zeros), np.zeros(h_shape, **zeros)
        parts = np.split(d_final, self.n_directions, axis=-1)
        for k, part in zip(range(self.n_directions, 0, -1), parts, strict=True):
            dh_n[-k] = part
        dx, *_ = back("lstm", (np.zeros(y_shape, **zeros), dh_n, dc_n))
        back("embedding", dx)
        return (None,), back.grads


@dataclass(frozen=True)
class LanguageModel(Composite):
    """Embedding, LSTM, linear layer: at every step the logits of the token that comes next.

    forward(params, tokens, h_0, c_0) returns logits, h_n, c_n; the states carry the past over from
    one piece of a text to the next.

    Shapes: tokens (B, T), logits (B, T, V), states (L, B, H), with V = `vocabulary_size`,
    H = `hidden_size`, L = `num_layers`. Parameters have the prefixes ``embedding.``, ``lstm.`` and
    ``output.``.
    """

    vocabulary_size: int
    embedding_dim: int
    hidden_size: int
    num_layers: int = 1
    dropout: float = 0.0
    mode_dependent: ClassVar[bool] = True
    Embedding: ClassVar[type[Layer]] = Embedding
    LSTM: ClassVar[type[Layer]] = LSTM
    Linear: ClassVar[type[Layer]] = Linear

    def named_parts(self) -> dict[str, Layer]:
        sizes = (self.embedding_dim, self.hidden_size, self.num_layers)
        return {
            "embedding": self.Embedding(self.vocabulary_size, self.embedding_dim),
            "lstm": self.LSTM(*sizes, dropout=self.dropout),
            "dropout": Dropout(self.dropout),
            "output": self.Linear(self.hidden_size, self.vocabulary_size),
        }

    def forward(
        self,
        params: Params,
        tokens: Array,
        *states: Array,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Outputs, Cache]:
        expect_shape("tokens", tokens, "B", "T")
        run = ForwardPass(self, params, training=training, rng=rng)
        x = run("embedding", tokens)
        y, h_n, c_n = run("lstm", x, *states)
        logits = run("output", run("dropout", y))
        return (logits, h_n, c_n), run.cache()

    def backward(self, params: Params, cache: Cache, dy: Outputs) -> Gradients:
        d_logits, dh_n, dc_n = dy
        back = BackwardPass(self, params, cache)
        (d_out,) = back("output", d_logits)
        (d_out,) = back("dropout", d_out)
        dx, dh_0, dc_0 = back("lstm", (d_out, dh_n, dc_n))
        back("embedding", dx)
        return (None, dh_0, dc_0), back.grads


def lengths_of(tokens: Array, padding_idx: int) -> Array:
    """Return how many tokens of each row of tokens (B, T) come before its padding, (B,).

    Raises LengthError for a row of nothing but padding, or with a token after the padding.
    """
    expect_shape("tokens", tokens, "B", "T")
    is_token = tokens != padding_idx
    lengths = is_token.sum(axis=1)
    if (lengths == 0).any():
        raise LengthError(
            f"tokens[{int(np.flatnonzero(lengths == 0)[0])}] is nothing but padding "
            f"({padding_idx}), expected at least one token in every row; leave empty texts out."
        )
    steps = np.arange(tokens.shape[1], like=tokens)
    if (is_token != (steps < lengths[:, None])).any():
        row = int(np.flatnonzero((is_token != (steps < lengths[:, None])).any(axis=1))[0])
        raise LengthError(
            f"tokens[{row}] has padding ({padding_idx}) before its end, expected padding after the "
            "last token only; pad on the right."
        )
    return lengths
