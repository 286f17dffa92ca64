// LayerNorm: x̂ = (x - μ) r with r = 1 / √(v + ε), y = γ x̂ + β.
//
// The patterns of these kernels are explained in activations.cu.

#include "common.cuh"

// One block per row. The variance takes a second pass over the row: mean(x²) - mean(x)² needs only
// one, but loses every digit when the mean is large beside the spread. Backward gets μ and r, two
// numbers per row, and computes x̂ again: cheaper than writing x̂ to memory and reading it back.
extern "C" __global__ void layer_norm_forward(const real* x, const real* weight, const real* bias,
                                              real* y, real* means, real* inverse_stds,
                                              int64 columns, real eps) {
    x += blockIdx.x * columns;
    y += blockIdx.x * columns;

    real sum = 0;
    for (int64 c = threadIdx.x; c < columns; c += THREADS) sum += x[c];
    const real mean = reduce_block(sum, Add()) / columns;

    real squares = 0;
    for (int64 c = threadIdx.x; c < columns; c += THREADS)
        squares += (x[c] - mean) * (x[c] - mean);
    const real variance = reduce_block(squares, Add()) / columns;
    const real inverse_std = 1 / sqrt(variance + eps);

    for (int64 c = threadIdx.x; c < columns; c += THREADS)
        y[c] = weight[c] * ((x[c] - mean) * inverse_std) + bias[c];
    if (threadIdx.x == 0) {
        means[blockIdx.x] = mean;
        inverse_stds[blockIdx.x] = inverse_std;
    }
}

// One block per row: dx = r (dx̂ - mean(dx̂) - x̂ mean(dx̂ x̂)) with dx̂ = γ dy.
extern "C" __global__ void layer_norm_backward_input(const real* dy, const real* x,
                                                     const real* weight, const real* means,
                                                     const real* inverse_stds, real* dx,
                                                     int64 columns) {
    const real mean = means[blockIdx.x], inverse_std = inverse_stds[blockIdx.x];
    dy += blockIdx.x * columns;
    x += blockIdx.x * columns;
    dx += blockIdx.x * columns;

    Pair sums = {0, 0};  // Σ dx̂ and Σ dx̂ x̂
    for (int64 c = threadIdx.x; c < columns; c += THREADS) {
        const real dx_hat = weight[c] * dy[c];
        sums = sums + Pair{dx_hat, dx_hat * (x[c] - mean) * inverse_std};
    }
    sums = reduce_block(sums, Add());

    for (int64 c = threadIdx.x; c < columns; c += THREADS) {
        const real x_hat = (x[c] - mean) * inverse_std;
        dx[c] = inverse_std *
                (weight[c] * dy[c] - sums.first / columns - x_hat * (sums.second / columns));
    }
}

// dγ = Σ_rows dy x̂ and dβ = Σ_rows dy, one block for every 32 columns.
//
// A column's elements lie `columns` apart, so a thread that walks down its column reads badly on its
// own. But the 32 threads of a warp stand side by side and read 32 neighbours together. The
// block's warps share the rows: warp w takes rows w, w + WARPS, …, and at the end warp 0 adds up
// what all have found, in a fixed order.
extern "C" __global__ void layer_norm_backward_params(const real* dy, const real* x,
                                                      const real* means, const real* inverse_stds,
                                                      real* dweight, real* dbias, int64 rows,
                                                      int64 columns) {
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    const int64 c = blockIdx.x * int64(WARP) + lane;

    Pair mine = {0, 0};
    if (c < columns)  // not `return`: every thread is expected at __syncthreads below
        for (int64 row = warp; row < rows; row += WARPS) {
            const int64 i = row * columns + c;
            mine = mine + Pair{dy[i] * (x[i] - means[row]) * inverse_stds[row], dy[i]};
        }

    __shared__ Pair partial[THREADS];
    partial[threadIdx.x] = mine;
    __syncthreads();
    if (warp == 0 && c < columns) {
        for (int other = 1; other < WARPS; other++) mine = mine + partial[other * WARP + lane];
        dweight[c] = mine.first;
        dbias[c] = mine.second;
    }
}
