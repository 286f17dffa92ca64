"""The relational graph convolution on the GPU."""

from dataclasses import dataclass

import cupy as cp

from bigmodel_edu.layer import (
    Array,
    Cache,
    Gradients,
    Params,
    expect_shape,
    with_prefix,
    without_prefix,
)
from bigmodel_edu.lstm.cupy_impl import scatter_add

from .. import reference
from .matching import DotProduct


@dataclass(frozen=True)
class RGCN(reference.RGCN):
    """Edges of all relations at once, where the reference takes one relation after the other.

    With W_r = Σ_n a_rn V_n, a message goes first and is transformed later:
    y_i = W₀ x_i + b + Σ_n V_n z_in,  z_in = Σ over the edges (j, r, i) of w_n x_j,
    w_n = a_rn / (number of edges of relation r to i). Each z_n is one kernel, whatever the number
    of relations, and all V_n together are one matrix product.
    """

    def forward(self, params: Params, x: Array, *, edges: Array) -> tuple[Array, Cache]:
        self.expect_graph(params, x, edges)
        y, loop_cache = self.self_loop.forward(without_prefix("self_loop", params), x)
        sources, relations, targets = edges.T.astype(cp.int64)
        groups = targets * (2 * self.num_relations) + relations  # edges that share one mean
        _, group, sizes = cp.unique(groups, return_inverse=True, return_counts=True)
        shares = (1 / sizes[group]).astype(x.dtype)
        weights = shares * params["coefficients"][relations].T  # w (N, M)
        z = cp.stack([sum_of_rows(x, targets, sources, w) for w in weights], axis=1)
        y += cp.tensordot(z, params["bases"], ((1, 2), (0, 2)))
        return y, (loop_cache, x, sources, relations, targets, shares, weights, z)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        loop_cache, x, sources, relations, targets, shares, weights, z = cache
        expect_shape("dy", dy, len(x), self.out_features)
        (dx,), loop_grads = self.self_loop.backward(
            without_prefix("self_loop", params), loop_cache, dy
        )
        dz = cp.tensordot(dy, params["bases"], (1, 1)).swapaxes(0, 1)  # (N, E, I)
        for w, dz_n in zip(weights, dz, strict=True):
            dx += sum_of_rows(dz_n, sources, targets, w)
        along = [DotProduct().score_pairs(dz_n, x, targets, sources) for dz_n in dz]
        d_coefficients = (shares * cp.stack(along)).T
        grads = {
            "bases": cp.tensordot(dy, z, (0, 0)).swapaxes(0, 1),
            "coefficients": scatter_add(relations, d_coefficients, params["coefficients"]),
        }
        return (dx,), grads | with_prefix("self_loop", loop_grads)


def sum_of_rows(rows: Array, owners: Array, partners: Array, weights: Array) -> Array:
    """Return y like rows, y_i = Σ weights_p rows_partners(p) over the pairs p with owner i."""
    return DotProduct().pairs_backward(rows, rows, owners, partners, weights, weights)
