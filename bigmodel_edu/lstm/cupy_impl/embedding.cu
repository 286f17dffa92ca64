// Embedding: row `token` of the weight (V, D) is the vector of that token.
//
// Shapes: N tokens out of V, with D columns each. Arrays are C-contiguous; `real`, float or double,
// stands in common.cuh.

#include "common.cuh"

// y_n = W[token_n], one thread per element of y (N, D): neighbours copy neighbours.
extern "C" __global__ void embedding_forward(const real* weight, const int64* tokens, real* y,
                                             int64 n, int64 columns) {
    const int64 i = this_element();
    if (i < n) y[i] = weight[tokens[i / columns] * columns + i % columns];
}

// dW[v] = Σ dy_n over all n with token_n = v. The row of the padding token, which is not learned,
// is zero; `padding` is -1 where there is none.
//
// One thread per element of dy that does atomicAdd on its place in dW would add up the right
// numbers, but in the order in which the threads happen to come. A sum of floats depends on its
// order, so training twice from one seed would give two networks. Here it is the other way round:
// each element of dW has an owner, who collects what belongs to it, always in the same order.
// `order` lists the positions n sorted by token; those of token v are order[starts[v]] up to
// order[starts[v + 1] - 1]. A token that does not occur gets its zeros in the same pass.
//
// One block for every 32 columns of a row of dW, and the block's warps share the positions, as in
// chapter 1's layer_norm_backward_params: a frequent token, such as the space in a text, would
// otherwise keep one thread busy long after all others are done.
extern "C" __global__ void embedding_backward(const real* dy, const int64* order,
                                              const int64* starts, real* dweight, int64 columns,
                                              int64 padding) {
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    const int64 chunks = (columns + WARP - 1) / WARP;  // blocks per row
    const int64 token = blockIdx.x / chunks;
    const int64 c = blockIdx.x % chunks * WARP + lane;

    real mine = 0;
    if (c < columns && token != padding)  // not `return`: every thread is expected at __syncthreads
        for (int64 k = starts[token] + warp; k < starts[token + 1]; k += WARPS)
            mine += dy[order[k] * columns + c];

    __shared__ real partial[THREADS];
    partial[threadIdx.x] = mine;
    __syncthreads();
    if (warp == 0 && c < columns) {
        for (int other = 1; other < WARPS; other++) mine += partial[other * WARP + lane];
        dweight[token * columns + c] = mine;
    }
}
