"""Attention: every query looks at every key, and takes the values where it likes what it sees."""

from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np

from bigmodel_edu.errors import ShapeError
from bigmodel_edu.layer import (
    Array,
    BackwardPass,
    Cache,
    Composite,
    ForwardPass,
    Gradients,
    Layer,
    Params,
    expect_divisible,
    expect_floats,
    expect_shape,
)
from bigmodel_edu.neural_nets.reference import softmax, xavier_uniform

from .cache import KeyValueCache
from .masks import as_bias, causal_mask, expect_a_key_for_every_query, expect_mask
from .positions import RotaryPositions


def fold(x: Array, kv_heads: int) -> Array:
    """Return x (B, h, T, d) as (B, g, h/g · T, d): the query heads that share a key head in a row.

    Query head i goes with key head ⌊i g / h⌋, as in PyTorch's grouped-query attention.
    """
    batch, _, _, d = x.shape
    return x.reshape(batch, kv_heads, -1, d)


def product(a: Array, b: Array) -> Array:
    """Return a b for a (B, h, T, n) and b (B, g, n, m): heads of a that share a head of b.

    With as many heads on both sides, g = h, it is ``a @ b``.
    """
    batch, heads, n_queries, _ = a.shape
    return (fold(a, b.shape[1]) @ b).reshape(batch, heads, n_queries, b.shape[3])


def expect_queries_keys_values(q: Array, k: Array, v: Array) -> None:
    """Raise unless q (B, h, T, d), k (B, g, S, d) and v (B, g, S, e) fit and g divides h."""
    for name, array in (("q", q), ("k", k), ("v", v)):
        expect_floats(name, array)
    expect_shape("q", q, "B", "heads", "T", "d")
    batch, heads, _, d = q.shape
    expect_shape("k", k, batch, "kv heads", "S", d)
    _, kv_heads, n_keys, _ = k.shape
    expect_shape("v", v, batch, kv_heads, n_keys, "e")
    if heads % kv_heads:
        raise ShapeError(
            f"q has {heads} heads and k has {kv_heads}, expected a multiple, so that the heads of "
            "q can share those of k equally."
        )


@dataclass(frozen=True)
class ScaledDotProductAttention(Layer):
    """Scaled dot-product attention, y = softmax(α q kᵀ) v, α = 1/√d (Vaswani et al. 2017, eq. 1).

    Shapes: q (B, h, T, d), k (B, g, S, d), v (B, g, S, e), y (B, h, T, e). With g < h each key
    head serves h/g neighbouring query heads (grouped-query attention, Ainslie et al. 2023; g = 1 is
    multi-query attention, Shazeer 2019). `scale` gives another α.

    `mask` (see `masks`) broadcasts to (B, h, T, S). With `causal` query i looks at the keys
    j ≤ i + S - T only.

    The gradients: dv = pᵀ dy, dp = dy vᵀ; row by row ds = p ⊙ (dp - ⟨dp, p⟩); dq = α ds k,
    dk = α dsᵀ q. Query heads that share a key head add up in dk and dv.
    """

    causal: bool = False
    scale: float | None = None

    def forward(
        self, params: Params, q: Array, k: Array, v: Array, *, mask: Array | None = None
    ) -> tuple[Array, Cache]:
        expect_queries_keys_values(q, k, v)
        # s = α q kᵀ with α = 1/√d, (B, h, T, S)
        s = product(q, k.swapaxes(-1, -2)) * self.scale_of(q)
        s = self.masked(s, mask)
        # p = softmax(s), each row for itself
        p = softmax(s)
        # y = p v, (B, h, T, e)
        y = product(p, v)
        return y, (q, k, v, p)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        q, k, v, p = cache
        kv_heads = k.shape[1]
        # y = p v:  dv = pᵀ dy,  dp = dy vᵀ
        dv = fold(p, kv_heads).swapaxes(-1, -2) @ fold(dy, kv_heads)
        dp = product(dy, v.swapaxes(-1, -2))
        # p = softmax(s):  ds = p ⊙ (dp - ⟨dp, p⟩)
        ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True))
        # s = α q kᵀ:  dq = α ds k,  dk = α dsᵀ q
        scale = self.scale_of(q)
        dq = product(ds, k) * scale
        dk = fold(ds, kv_heads).swapaxes(-1, -2) @ fold(q, kv_heads) * scale
        return (dq, dk, dv), {}

    def weights(self, q: Array, k: Array, *, mask: Array | None = None) -> Array:
        """Return the attention weights p (B, h, T, S); each row sums to one."""
        # p does not depend on the values, so the keys may stand in for them
        _, (*_, p) = ScaledDotProductAttention.forward(self, {}, q, k, k, mask=mask)
        return p

    def scale_of(self, q: Array) -> float:
        """Return the number the scores are multiplied with, 1/√d unless given."""
        return 1 / sqrt(q.shape[-1]) if self.scale is None else self.scale

    def masked(self, s: Array, mask: Array | None) -> Array:
        """Return the scores s (B, h, T, S) plus the mask: -∞ where a query may not look."""
        _, _, n_queries, n_keys = s.shape
        if mask is not None:
            expect_mask(mask, *s.shape)
            s = s + as_bias(mask, s)
        if self.causal:
            s = s + as_bias(causal_mask(n_queries, n_keys, like=s), s)
        if mask is not None or self.causal:
            expect_a_key_for_every_query(s.max(axis=-1, keepdims=True))
        return s


def split_heads(x: Array, num_heads: int) -> Array:
    """Return x (B, T, h · d) as (B, h, T, d)."""
    batch, length, width = x.shape
    return x.reshape(batch, length, num_heads, width // num_heads).transpose(0, 2, 1, 3)


def join_heads(x: Array) -> Array:
    """Return x (B, h, T, d) as (B, T, h · d), which undoes `split_heads`."""
    batch, heads, length, d = x.shape
    return x.transpose(0, 2, 1, 3).reshape(batch, length, heads * d)


@dataclass(frozen=True)
class MultiHeadAttention(Composite):
    """Multi-head attention (Vaswani et al. 2017, section 3.2.2), of x to itself or to `memory`.

    q = x W_qᵀ + b_q, k = m W_kᵀ + b_k, v = m W_vᵀ + b_v, cut into heads; y = concat(attention of
    each head) W_outᵀ + b_out, with m = x when there is no memory.

    Shapes: x (B, T, D), memory (B, S, D), y (B, T, D); D = `embed_dim`, h = `num_heads` of d = D/h
    features, g = `num_kv_heads` (h unless given). in_proj_weight (D + 2 g d, D) holds the rows of
    W_q, of W_k, of W_v, in_proj_bias (D + 2 g d,) likewise; out_proj.weight (D, D), out_proj.bias
    (D,): with g = h the `state_dict` of `torch.nn.MultiheadAttention`. `mask` broadcasts to
    (B, h, T, S).

    With `rotary_base` queries and keys are turned by their positions (see `RotaryPositions`).
    """

    embed_dim: int
    num_heads: int
    num_kv_heads: int | None = None
    bias: bool = True
    causal: bool = False
    rotary_base: float | None = None

    Attention: ClassVar[type[Layer]] = ScaledDotProductAttention
    Rotary: ClassVar[type[Layer]] = RotaryPositions

    def __post_init__(self) -> None:
        expect_divisible("embed_dim", self.embed_dim, "num_heads", self.num_heads)
        expect_divisible("num_heads", self.num_heads, "num_kv_heads", self.kv_heads)
        super().__post_init__()

    def named_parts(self) -> dict[str, Layer]:
        parts = {"attention": self.Attention(causal=self.causal)}
        if self.rotary_base is not None:
            parts["rotary"] = self.Rotary(self.head_dim, base=self.rotary_base)
        return parts

    @property
    def kv_heads(self) -> int:
        """The number of heads of keys and of values."""
        return self.num_heads if self.num_kv_heads is None else self.num_kv_heads

    @property
    def head_dim(self) -> int:
        """The number of features of a head."""
        return self.embed_dim // self.num_heads

    def init(self, rng: np.random.Generator) -> Params:
        d, rows = self.embed_dim, self.embed_dim + 2 * self.kv_heads * self.head_dim
        params = {
            "in_proj_weight": xavier_uniform(rng, (rows, d)),
            "out_proj.weight": xavier_uniform(rng, (d, d)),
        }
        if self.bias:
            params |= {"in_proj_bias": np.zeros(rows), "out_proj.bias": np.zeros(d)}
        return params

    def forward(
        self, params: Params, x: Array, memory: Array | None = None, *, mask: Array | None = None
    ) -> tuple[Array, Cache]:
        run = ForwardPass(self, params)
        # q = x W_qᵀ + b_q,  k = m W_kᵀ + b_k,  v = m W_vᵀ + b_v, cut into heads
        q, k, v = self.project(params, x, memory)
        # y = concat(attention of each head) W_outᵀ + b_out
        joined = join_heads(run("attention", q, k, v, mask=mask))
        return self.project_out(params, joined), run.cache(x, memory, joined)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        back = BackwardPass(self, params, cache)
        x, memory, joined = back.own
        d_joined, grads = self._project_out_backward(params, joined, dy)
        dq, dk, dv = back("attention", split_heads(d_joined, self.num_heads))
        if self.rotary_base is not None:
            (dq,), _ = self.rotary.backward({}, 0, dq)
            (dk,), _ = self.rotary.backward({}, 0, dk)
        dq, dk, dv = join_heads(dq), join_heads(dk), join_heads(dv)
        if memory is None:
            dx, in_grads = self._project_in_backward(params, x, slice(None), (dq, dk, dv))
            return (dx, None), grads | in_grads
        of_q, of_kv = slice(self.embed_dim), slice(self.embed_dim, None)
        dx, q_grads = self._project_in_backward(params, x, of_q, (dq,))
        d_memory, kv_grads = self._project_in_backward(params, memory, of_kv, (dk, dv))
        in_grads = {name: np.concatenate([g, kv_grads[name]]) for name, g in q_grads.items()}
        return (dx, d_memory), grads | in_grads

    def attention_weights(
        self,
        params: Params,
        x: Array,
        memory: Array | None = None,
        *,
        mask: Array | None = None,
    ) -> Array:
        """Return the attention weights of every head (B, h, T, S), to look at."""
        q, k, _ = self.project(params, x, memory)
        return ScaledDotProductAttention(causal=self.causal).weights(q, k, mask=mask)

    def project(
        self, params: Params, x: Array, memory: Array | None = None, *, offset: int = 0
    ) -> tuple[Array, Array, Array]:
        """Return q (B, h, T, d), k and v (B, g, S, d); x begins at position `offset`."""
        expect_floats("x", x)
        expect_shape("x", x, "B", "T", self.embed_dim)
        if memory is not None:
            expect_floats("memory", memory)
            expect_shape("memory", memory, len(x), "S", self.embed_dim)
            q = self.queries(params, x, offset=offset)
            return q, *self.keys_and_values(params, memory, offset=offset)
        qkv = self._project_in(params, x, slice(None))
        q = self._heads(qkv[..., : self.embed_dim], self.num_heads, offset)
        return q, *self._split_keys_and_values(qkv[..., self.embed_dim :], offset)

    def queries(self, params: Params, x: Array, *, offset: int = 0) -> Array:
        """Return the queries (B, h, T, d) of x."""
        projected = self._project_in(params, x, slice(self.embed_dim))
        return self._heads(projected, self.num_heads, offset)

    def keys_and_values(
        self, params: Params, memory: Array, *, offset: int = 0
    ) -> tuple[Array, Array]:
        """Return the keys and the values (B, g, S, d) of a memory."""
        projected = self._project_in(params, memory, slice(self.embed_dim, None))
        return self._split_keys_and_values(projected, offset)

    def step(
        self, params: Params, x: Array, cache: KeyValueCache, *, mask: Array | None = None
    ) -> Array:
        """Return y for the next tokens x (B, T, D) alone; their keys and values join the cache.

        The same numbers as causal self-attention over the whole sequence gives its last T tokens.
        """
        q, k, v = self.project(params, x, offset=cache.length)
        keys, values = cache.append(k, v)
        return self._attend(params, q, keys, values, causal=True, mask=mask)

    def look(
        self, params: Params, x: Array, keys: Array, values: Array, *, mask: Array | None = None
    ) -> Array:
        """Return y for queries from x and the keys and values of a memory, computed before."""
        return self._attend(params, self.queries(params, x), keys, values, mask=mask)

    def _attend(
        self,
        params: Params,
        q: Array,
        keys: Array,
        values: Array,
        *,
        causal: bool = False,
        mask: Array | None,
    ) -> Array:
        attention = self.Attention(causal=causal)
        attended, _ = attention.forward({}, q, keys, values, mask=mask)
        return self.project_out(params, join_heads(attended))

    def _heads(self, x: Array, num_heads: int, offset: int) -> Array:
        """Return projected queries or keys cut into heads, turned by their positions if asked."""
        heads = split_heads(x, num_heads)
        if self.rotary_base is not None:
            heads, _ = self.rotary.forward({}, heads, offset=offset)
        return heads

    def _split_keys_and_values(self, kv: Array, offset: int) -> tuple[Array, Array]:
        width = self.kv_heads * self.head_dim
        keys = self._heads(kv[..., :width], self.kv_heads, offset)
        return keys, split_heads(kv[..., width:], self.kv_heads)

    def project_out(self, params: Params, joined: Array) -> Array:
        """Return the output (B, T, D) of the heads, joined (B, T, D)."""
        rows = joined.reshape(-1, self.embed_dim) @ params["out_proj.weight"].T
        if self.bias:
            rows += params["out_proj.bias"]
        return rows.reshape(joined.shape)

    def _project_in(self, params: Params, x: Array, rows: slice) -> Array:
        """Return x times some rows of the input projection."""
        # one product of matrices, not one per sequence
        out = x.reshape(-1, self.embed_dim) @ params["in_proj_weight"][rows].T
        if self.bias:
            out += params["in_proj_bias"][rows]
        return out.reshape(*x.shape[:2], -1)

    def _project_in_backward(
        self, params: Params, x: Array, rows: slice, d_parts: tuple[Array, ...]
    ) -> tuple[Array, Params]:
        d_out = np.concatenate(d_parts, axis=-1).reshape(x.shape[0] * x.shape[1], -1)
        dx = (d_out @ params["in_proj_weight"][rows]).reshape(x.shape)
        grads = {"in_proj_weight": d_out.T @ x.reshape(-1, self.embed_dim)}
        if self.bias:
            grads["in_proj_bias"] = d_out.sum(axis=0)
        return dx, grads

    def _project_out_backward(
        self, params: Params, joined: Array, dy: Array
    ) -> tuple[Array, Params]:
        dy_rows = dy.reshape(-1, self.embed_dim)
        grads = {"out_proj.weight": dy_rows.T @ joined.reshape(-1, self.embed_dim)}
        if self.bias:
            grads["out_proj.bias"] = dy_rows.sum(axis=0)
        return (dy_rows @ params["out_proj.weight"]).reshape(dy.shape), grads
