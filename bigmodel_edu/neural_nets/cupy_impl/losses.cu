// Softmax and cross-entropy in one, loss and gradient in one visit to each row.
//
// softmax_forward reads the row once for the maximum and again for the sum. One reading is enough
// ("online" softmax, Milakov and Gimelshein 2018, algorithm 3): keep the maximum so far and the sum
// relative to it, and when the maximum rises from a to b, multiply the sum by exp(a - b).
//
// The patterns of these kernels are explained in activations.cu.

#include "common.cuh"

// Stands for Σ exp(z) = sum · exp(highest) of the elements seen so far.
struct ExpSum {
    real highest, sum;
};

struct Merge {
    __device__ ExpSum operator()(ExpSum a, ExpSum b) const {
        const real highest = fmax(a.highest, b.highest);
        return {highest, a.sum * exp(a.highest - highest) + b.sum * exp(b.highest - highest)};
    }
};

// With p = softmax(z) and q_c = (1 - ε) [c = target] + ε / C, per row:
//   loss = -s Σ_c q_c log p_c    and    dz = s (p - q),    s = `scale` = 1 / (rows that count).
// A row whose target is `ignored` gives zeros. log p_c = z_c - max z - log Σ exp(z - max z) is never
// the logarithm of a rounded p. Once the row's maximum and sum are known, loss and gradient
// come from the same second loop, whose reads find the row still in the cache.
extern "C" __global__ void cross_entropy(const real* z, const int64* targets, real* losses,
                                         real* dz, int64 classes, real smoothing, int64 ignored,
                                         real scale) {
    const int64 target = targets[blockIdx.x];
    z += blockIdx.x * classes;
    dz += blockIdx.x * classes;

    if (target == ignored) {  // the same for the whole block, so no thread is left at a barrier
        for (int64 c = threadIdx.x; c < classes; c += THREADS) dz[c] = 0;
        if (threadIdx.x == 0) losses[blockIdx.x] = 0;
        return;
    }

    ExpSum seen = {LOWEST, 0};
    for (int64 c = threadIdx.x; c < classes; c += THREADS) seen = Merge()(seen, {z[c], 1});
    seen = reduce_block(seen, Merge());
    const real log_sum = log(seen.sum);

    real loss = 0;
    for (int64 c = threadIdx.x; c < classes; c += THREADS) {
        const real log_p = z[c] - seen.highest - log_sum;
        const real q = (c == target ? 1 - smoothing : real(0)) + smoothing / classes;
        if (q > 0) loss -= q * log_p;  // 0 · (-∞) is 0 here, not NaN
        dz[c] = scale * (exp(log_p) - q);
    }
    loss = reduce_block(loss, Add());
    if (threadIdx.x == 0) losses[blockIdx.x] = scale * loss;
}
