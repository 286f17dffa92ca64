// RMSNorm: x̂ = x r with r = 1 / √(mean(x²) + ε), y = γ x̂. LayerNorm's kernels without the mean.
//
// The patterns of these kernels are explained in attention.cu.

#include "common.cuh"

// One block per row. Backward gets r, one number per row, and computes x̂ again.
extern "C" __global__ void rms_norm_forward(const real* x, const real* weight, real* y,
                                            real* inverse_rms, int64 columns, real eps) {
    x += blockIdx.x * columns;  // from here on, this block's row
    y += blockIdx.x * columns;

    real squares = 0;
    for (int64 c = threadIdx.x; c < columns; c += THREADS) squares += x[c] * x[c];
    const real mean_square = reduce_block(squares, Add()) / columns;
    const real inverse = 1 / sqrt(mean_square + eps);

    for (int64 c = threadIdx.x; c < columns; c += THREADS) y[c] = weight[c] * (x[c] * inverse);
    if (threadIdx.x == 0) inverse_rms[blockIdx.x] = inverse;
}

// One block per row: dx = r (dx̂ - x̂ mean(dx̂ x̂)) with dx̂ = γ dy.
extern "C" __global__ void rms_norm_backward_input(const real* dy, const real* x,
                                                   const real* weight, const real* inverse_rms,
                                                   real* dx, int64 columns) {
    const real inverse = inverse_rms[blockIdx.x];
    dy += blockIdx.x * columns;
    x += blockIdx.x * columns;
    dx += blockIdx.x * columns;

    real inner = 0;
    for (int64 c = threadIdx.x; c < columns; c += THREADS)
        inner += weight[c] * dy[c] * (x[c] * inverse);
    inner = reduce_block(inner, Add()) / columns;

    for (int64 c = threadIdx.x; c < columns; c += THREADS)
        dx[c] = inverse * (weight[c] * dy[c] - x[c] * inverse * inner);
}

// dγ = Σ_rows dy x̂, one block for every 32 columns. The 32 threads of a warp read 32 neighbours of
// a row together, the warps share the rows, and warp 0 adds up what all found, in a fixed order.
extern "C" __global__ void rms_norm_backward_weight(const real* dy, const real* x,
                                                    const real* inverse_rms, real* d_weight,
                                                    int64 rows, int64 columns) {
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    const int64 c = blockIdx.x * int64(WARP) + lane;

    real mine = 0;
    if (c < columns)  // not `return`: every thread is expected at __syncthreads below
        for (int64 row = warp; row < rows; row += WARPS)
            mine += dy[row * columns + c] * (x[row * columns + c] * inverse_rms[row]);

    __shared__ real partial[THREADS];
    partial[threadIdx.x] = mine;
    __syncthreads();
    if (warp == 0 && c < columns) {
        for (int other = 1; other < WARPS; other++) mine += partial[other * WARP + lane];
        d_weight[c] = mine;
    }
}
