"""Chapter 2 on the GPU: the elementwise part of a step and the embedding by hand, in `kernels.cu`.

Every class takes CuPy arrays and keeps the contract and the checks of the reference. The loop over
the steps, directions and layers is the reference's own; only the cell that it calls is another.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cupy as cp

from bigmodel_edu.cuda.kernels import blocks_for, load_kernels
from bigmodel_edu.layer import Array, Cache, Gradients, Layer, Params, expect_shape, expect_tokens
from bigmodel_edu.neural_nets.cupy_impl import Linear, elementwise

from . import reference

# These are their own twins: NumPy's functions dispatch to CuPy.
from .reference import (
    bits_per_character,
    temperature_probabilities,
    truncated_bptt,
    window_gradients,
)
from .reference.cell import RecurrentCell, States

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Embedding",
    "GRUCell",
    "LSTMCell",
    "LanguageModel",
    "RNNCell",
    "SequenceClassifier",
    "bits_per_character",
    "scatter_add",
    "temperature_probabilities",
    "truncated_bptt",
    "window_gradients",
]

KERNELS = load_kernels(Path(__file__).with_name("kernels.cu"), cp)
COLUMNS_PER_BLOCK = 32  # WARP in kernels.cu
NO_PADDING = -1  # no token has this number


class FusedCell:
    """What the twins of the cells share: a step that is one product and one kernel.

    The kernel takes the place of `pointwise` and of the additions before it: on its own, one of
    them would take as long as the whole kernel.
    """

    def summands(self, params: Params, a: Array, h: Array) -> tuple[Array, Array, Array]:
        """Return a and u = h W_hhᵀ (B, G H) and b_hh (G H,), sure to have these shapes.

        A kernel sees no shapes: where the reference would refuse, it would read foreign memory.
        """
        rows = self.n_gates * self.hidden_size
        expect_shape("weight_ih", params["weight_ih"], rows, "D")
        expect_shape("weight_hh", params["weight_hh"], rows, self.hidden_size)
        expect_shape("bias_hh", params["bias_hh"], rows)
        return a, h @ params["weight_hh"].T, params["bias_hh"]

    def launch(self, kernel: str, inputs: States, outputs: States) -> None:
        """Run a kernel with one thread per element of its last output, (B, H)."""
        n = outputs[-1].size
        KERNELS.launch(kernel, blocks_for(n), inputs, outputs, n, self.hidden_size)


@dataclass(frozen=True)
class RNNCell(FusedCell, reference.RNNCell):
    def step(self, params: Params, a: Array, states: States) -> tuple[States, Cache]:
        (h,) = states
        h_new = cp.empty(h.shape, a.dtype)
        self.launch("rnn_forward", self.summands(params, a, h), (h_new,))
        return (h_new,), h_new

    def pointwise_backward(self, h_new: Array, dh_new: Array) -> Array:
        return elementwise("tanh_backward", h_new, dh_new)


@dataclass(frozen=True)
class LSTMCell(FusedCell, reference.LSTMCell):
    def step(self, params: Params, a: Array, states: States) -> tuple[States, Cache]:
        h, c = states
        gates = cp.empty(a.shape, a.dtype)
        h_new, c_new = cp.empty(h.shape, a.dtype), cp.empty(h.shape, a.dtype)
        inputs = (*self.summands(params, a, h), c)
        self.launch("lstm_forward", inputs, (gates, h_new, c_new))
        return (h_new, c_new), (gates, c, c_new)

    def pointwise_backward(self, kept: Cache, dh_new: Array, dc_new: Array) -> tuple[Array, Array]:
        gates, c, c_new = kept
        expect_shape("dh", dh_new, *c.shape)
        expect_shape("dc", dc_new, *c.shape)
        dz, dc = cp.empty(gates.shape, c.dtype), cp.empty(c.shape, c.dtype)
        self.launch("lstm_backward", (gates, c, c_new, dh_new, dc_new), (dz, dc))
        return dz, dc


@dataclass(frozen=True)
class GRUCell(FusedCell, reference.GRUCell):
    def step(self, params: Params, a: Array, states: States) -> tuple[States, Cache]:
        (h,) = states
        gates = cp.empty((len(h), 4 * self.hidden_size), a.dtype)  # r, z, n and v
        h_new = cp.empty(h.shape, a.dtype)
        self.launch("gru_forward", (*self.summands(params, a, h), h), (gates, h_new))
        return (h_new,), (gates, h)

    def pointwise_backward(self, kept: Cache, dh_new: Array) -> tuple[Array, Array, Array]:
        gates, h = kept
        expect_shape("dh", dh_new, *h.shape)
        rows = (len(h), self.n_gates * self.hidden_size)
        da, du, dh = (cp.empty(shape, h.dtype) for shape in (rows, rows, h.shape))
        self.launch("gru_backward", (gates, h, dh_new), (da, du, dh))
        return da, du, dh


@dataclass(frozen=True)
class RNN(reference.RNN):
    Cell: ClassVar[type[RecurrentCell]] = RNNCell


@dataclass(frozen=True)
class LSTM(reference.LSTM):
    Cell: ClassVar[type[RecurrentCell]] = LSTMCell


@dataclass(frozen=True)
class GRU(reference.GRU):
    Cell: ClassVar[type[RecurrentCell]] = GRUCell


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


@dataclass(frozen=True)
class SequenceClassifier(reference.SequenceClassifier):
    Embedding: ClassVar[type[Layer]] = Embedding
    LSTM: ClassVar[type[Layer]] = LSTM
    Linear: ClassVar[type[Layer]] = Linear


@dataclass(frozen=True)
class LanguageModel(reference.LanguageModel):
    Embedding: ClassVar[type[Layer]] = Embedding
    LSTM: ClassVar[type[Layer]] = LSTM
    Linear: ClassVar[type[Layer]] = Linear
