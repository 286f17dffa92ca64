// The GPU by hand: the weights of attention, and the patterns of the CUDA kernels of chapter 4.
//
// Chapter 1 had two patterns: one thread per element, and one block per row. Here they serve
// SwiGLU, rotary positions and RMSNorm. Attention brings two more:
//
//   sixteen threads per row  the softmax of attention scores: rows are many and short, and a whole
//                            block for each would mostly wait at its barriers;
//   one block per tile       FlashAttention: the block's threads multiply small matrices that lie
//                            in shared memory, and the T×S matrix of weights is never stored.
//
// Arrays are C-contiguous, matrices have `columns` elements per row; `real`, float or double, and
// `reduce_block` stand in common.cuh. The names are those of the reference.

#include "common.cuh"
#include "grid.cuh"

// ---------------------------------------------------------------------------------------------
// Attention weights from scores, with any mask: one row of the grid of threads per row of scores.
//
// The mask is of numbers to add, 0 and -∞ for a boolean one. It is not blown up to the shape of the
// scores, B × heads × queries × keys: step_… says how far apart in memory its elements are along
// each axis, 0 along an axis where all share one.
// ---------------------------------------------------------------------------------------------

// p_c = exp(z_c - max z) / total, total = Σ exp(z - max z), z = s + mask, over the keys
// c ≤ query + `offset` (the causal mask; an offset of `keys` lets every query see all).
// A row that sees nothing has a total of 0, and Python refuses it.
extern "C" __global__ void attention_weights(const real* s, const real* mask, real* p,
                                             real* totals, int64 rows, int64 heads, int64 queries,
                                             int64 keys, int64 step_batch, int64 step_head,
                                             int64 step_query, int64 step_key, int64 offset) {
    const int64 row = blockIdx.x * int64(ROW_LANES) + row_lane();
    const int64 query = row % queries, head = row / queries % heads;
    mask += row / queries / heads * step_batch + head * step_head + query * step_query;
    s += row * keys;
    p += row * keys;
    // Threads beyond the last row see nothing, but do not leave: they are expected at the barriers.
    const int64 seen = row < rows ? smaller(keys, larger(query + offset + 1, 0)) : 0;

    real highest[1] = {LOWEST};
    for (int64 c = column_lane(); c < seen; c += COLUMN_LANES)
        highest[0] = fmax(highest[0], s[c] + mask[c * step_key]);
    reduce_rows(highest, Max());

    real total[1] = {0};
    for (int64 c = column_lane(); c < seen; c += COLUMN_LANES)
        total[0] += exp(s[c] + mask[c * step_key] - highest[0]);
    reduce_rows(total, Add());  // memory of its own: another Combine, another `partial`

    if (row >= rows) return;
    for (int64 c = column_lane(); c < keys; c += COLUMN_LANES)
        p[c] = c < seen ? exp(s[c] + mask[c * step_key] - highest[0]) / total[0] : real(0);
    if (column_lane() == 0) totals[row] = total[0];
}

// ds_c = p_c (dp_c - ⟨dp, p⟩). Where a query may not look p is 0, and so is ds.
extern "C" __global__ void attention_weights_backward(const real* p, const real* dp, real* ds,
                                                      int64 rows, int64 keys) {
    const int64 row = blockIdx.x * int64(ROW_LANES) + row_lane();
    p += row * keys;
    dp += row * keys;
    ds += row * keys;
    const int64 mine = row < rows ? keys : 0;

    real inner[1] = {0};
    for (int64 c = column_lane(); c < mine; c += COLUMN_LANES) inner[0] += dp[c] * p[c];
    reduce_rows(inner, Add());

    for (int64 c = column_lane(); c < mine; c += COLUMN_LANES) ds[c] = p[c] * (dp[c] - inner[0]);
}
