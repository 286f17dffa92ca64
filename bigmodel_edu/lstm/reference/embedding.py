"""The embedding: a learned vector for each token."""

from dataclasses import dataclass

import numpy as np

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.layer import Array, Cache, Gradients, Layer, Params, expect_count, expect_tokens


@dataclass(frozen=True)
class Embedding(Layer):
    """A table of vectors, y = E[token]: a linear layer on one-hot inputs, without the zeros.

    Shapes: tokens (...), integers from 0 to V - 1; weight E (V, D); y (..., D), with
    V = `num_embeddings` and D = `embedding_dim`. The row `padding_idx`, if there is one, starts as
    zeros and gets no gradient, so that it stays so. Rows start from the normal distribution.
    """

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None = None

    def __post_init__(self) -> None:
        expect_count("num_embeddings", self.num_embeddings)
        expect_count("embedding_dim", self.embedding_dim)
        if self.padding_idx is not None and not 0 <= self.padding_idx < self.num_embeddings:
            raise HyperparameterError(
                f"padding_idx is {self.padding_idx}, expected a token from 0 to "
                f"{self.num_embeddings - 1}, or None for no padding."
            )

    def init(self, rng: np.random.Generator) -> Params:
        weight = rng.normal(size=(self.num_embeddings, self.embedding_dim))
        if self.padding_idx is not None:
            weight[self.padding_idx] = 0
        return {"weight": weight}

    def forward(self, params: Params, tokens: Array) -> tuple[Array, Cache]:
        expect_tokens("tokens", tokens, self.num_embeddings)
        return params["weight"][tokens], tokens

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        tokens = cache
        d_weight = scatter_add(tokens.ravel(), dy.reshape(-1, self.embedding_dim), params["weight"])
        if self.padding_idx is not None:
            d_weight[self.padding_idx] = 0
        return (None,), {"weight": d_weight}


def scatter_add(tokens: Array, rows: Array, like: Array) -> Array:
    """Return an array like `like` whose row k is the sum of all `rows` whose token is k.

    `np.add.at` says the same in one line. Sorted by token, what belongs together stands together
    and is added up run by run, which is several times quicker, and always in the same order.
    """
    sums = np.zeros_like(like, dtype=rows.dtype)
    order = np.argsort(tokens, kind="stable")
    in_order = tokens[order]
    is_first = np.concatenate((np.ones_like(in_order[:1]), np.diff(in_order))) != 0
    starts = np.flatnonzero(is_first)
    sums[in_order[starts]] = np.add.reduceat(rows[order], starts, axis=0)
    return sums
