"""The embedding on the GPU."""

from dataclasses import dataclass
from pathlib import Path

import cupy as cp

from bigmodel_edu.cuda.kernels import COLUMNS_PER_BLOCK, blocks_for, load_kernels
from bigmodel_edu.layer import Array, Cache, Gradients, Params, expect_shape, expect_tokens

from .. import reference

KERNELS = load_kernels(Path(__file__).with_suffix(".cu"), cp)
NO_PADDING = -1  # no token has this number


@dataclass(frozen=True)
class Embedding(reference.Embedding):
    def forward(self, params: Params, tokens: Array) -> tuple[Array, Cache]:
        weight = params["weight"]
        expect_tokens("tokens", tokens, self.num_embeddings)
        expect_shape("weight", weight, self.num_embeddings, self.embedding_dim)
        y = cp.empty((*tokens.shape, self.embedding_dim), weight.dtype)
        blocks = blocks_for(y.size)
        inputs = (weight, tokens)
        KERNELS.launch("embedding_forward", blocks, inputs, (y,), y.size, self.embedding_dim)
        return y, tokens

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        tokens = cache
        expect_shape("dy", dy, *tokens.shape, self.embedding_dim)
        padding = NO_PADDING if self.padding_idx is None else self.padding_idx
        rows = dy.reshape(-1, self.embedding_dim)
        return (None,), {"weight": scatter_add(tokens.ravel(), rows, params["weight"], padding)}


def scatter_add(tokens: Array, rows: Array, like: Array, padding: int = NO_PADDING) -> Array:
    """Return an array like `like` whose row k is the sum of all `rows` whose token is k.

    The row `padding` is zero. Sorted by token, what belongs together stands together.
    """
    n_tokens, columns = like.shape
    order = cp.argsort(tokens, kind="stable")
    starts = cp.searchsorted(tokens[order], cp.arange(n_tokens + 1))
    sums = cp.empty(like.shape, rows.dtype)
    KERNELS.launch(
        "embedding_backward",
        n_tokens * blocks_for(columns, COLUMNS_PER_BLOCK),
        (rows, order, starts),
        (sums,),
        columns,
        padding,
    )
    return sums
