// The GPU by hand: the hot parts of chapter 1 as CUDA kernels.
//
// A kernel is a function that thousands of threads run at once. Threads come in blocks of THREADS;
// those of one block can share a small, fast memory (__shared__) and wait for each other
// (__syncthreads). This file needs two patterns:
//
//   one thread per element   the activations and AdamW, where no element needs another;
//   one block per row        softmax, cross-entropy and LayerNorm: the block's threads take the
//                            elements of its row in turns, then combine what each has found.
//
// Arrays are C-contiguous, matrices have `columns` elements per row; `real`, float or double, and the
// reduction that combines what a block's threads have found stand in common.cuh.

#include "common.cuh"

// ---------------------------------------------------------------------------------------------
// Activations: one thread per element.
//
// In NumPy, x * 0.5 * (1 + erf(x / √2)) walks through memory once per operation. Here each thread
// reads its element once, computes in registers, and writes once: the GPU waits for memory, not
// for arithmetic, so this is most of what a fused kernel wins.
// ---------------------------------------------------------------------------------------------

// y = 1 / (1 + e⁻ˣ) = (1 + tanh(x/2)) / 2; the second form cannot overflow.
extern "C" __global__ void sigmoid_forward(const real* x, real* y, int64 n) {
    const int64 i = this_element();
    if (i < n) y[i] = real(0.5) * (1 + tanh(real(0.5) * x[i]));
}

// dy/dx = y (1 - y)
extern "C" __global__ void sigmoid_backward(const real* y, const real* dy, real* dx, int64 n) {
    const int64 i = this_element();
    if (i < n) dx[i] = dy[i] * y[i] * (1 - y[i]);
}

extern "C" __global__ void tanh_forward(const real* x, real* y, int64 n) {
    const int64 i = this_element();
    if (i < n) y[i] = tanh(x[i]);
}

// dy/dx = 1 - y²
extern "C" __global__ void tanh_backward(const real* y, const real* dy, real* dx, int64 n) {
    const int64 i = this_element();
    if (i < n) dx[i] = dy[i] * (1 - y[i] * y[i]);
}

// y = max(x, 0), asked as "x < 0?" so that a NaN stays a NaN instead of turning into 0.
extern "C" __global__ void relu_forward(const real* x, real* y, int64 n) {
    const int64 i = this_element();
    if (i < n) y[i] = x[i] < 0 ? real(0) : x[i];
}

// dy/dx = 1 where x > 0, which is where y > 0; at the corner 0.
extern "C" __global__ void relu_backward(const real* y, const real* dy, real* dx, int64 n) {
    const int64 i = this_element();
    if (i < n) dx[i] = y[i] > 0 ? dy[i] : real(0);
}

constexpr real SQRT_HALF = real(0.70710678118654752);         // 1 / √2
constexpr real INVERSE_SQRT_2_PI = real(0.39894228040143268);  // 1 / √(2π)
constexpr real SQRT_2_OVER_PI = real(0.79788456080286536);     // √(2/π)
constexpr real CUBIC = real(0.044715);

// The normal distribution: CDF Φ(x) = (1 + erf(x/√2)) / 2 and density φ(x) = Φ'(x).
__device__ real normal_cdf(real x) { return real(0.5) * (1 + erf(x * SQRT_HALF)); }
__device__ real normal_density(real x) { return INVERSE_SQRT_2_PI * exp(real(-0.5) * x * x); }

// y = x Φ(x)
extern "C" __global__ void gelu_forward(const real* x, real* y, int64 n) {
    const int64 i = this_element();
    if (i < n) y[i] = x[i] * normal_cdf(x[i]);
}

// dy/dx = Φ(x) + x φ(x)
extern "C" __global__ void gelu_backward(const real* x, const real* dy, real* dx, int64 n) {
    const int64 i = this_element();
    if (i < n) dx[i] = dy[i] * (normal_cdf(x[i]) + x[i] * normal_density(x[i]));
}

// t = tanh u with u = √(2/π) (x + 0.044715 x³), so that Φ(x) ≈ (1 + t) / 2
__device__ real gelu_tanh_of(real x) { return tanh(SQRT_2_OVER_PI * x * (1 + CUBIC * x * x)); }

// y = x (1 + t) / 2
extern "C" __global__ void gelu_tanh_forward(const real* x, real* y, int64 n) {
    const int64 i = this_element();
    if (i < n) y[i] = real(0.5) * x[i] * (1 + gelu_tanh_of(x[i]));
}

// dy/dx = (1 + t) / 2 + x (1 - t²) u' / 2 with u' = √(2/π) (1 + 3 · 0.044715 x²)
extern "C" __global__ void gelu_tanh_backward(const real* x, const real* dy, real* dx, int64 n) {
    const int64 i = this_element();
    if (i >= n) return;
    const real t = gelu_tanh_of(x[i]);
    const real du_dx = SQRT_2_OVER_PI * (1 + 3 * CUBIC * x[i] * x[i]);
    dx[i] = dy[i] * real(0.5) * ((1 + t) + x[i] * (1 - t * t) * du_dx);
}

// ---------------------------------------------------------------------------------------------
// Softmax: one block per row, one thread for every THREADS-th element of it.
//
// Thread 0 takes columns 0, 128, 256, …, thread 1 columns 1, 129, …: neighbouring threads read
// neighbouring addresses at the same time, which the memory serves in one go ("coalesced").
// ---------------------------------------------------------------------------------------------

// p_c = exp(z_c - max z) / Σ exp(z - max z)
extern "C" __global__ void softmax_forward(const real* z, real* p, int64 columns) {
    z += blockIdx.x * columns;  // from here on, this block's row
    p += blockIdx.x * columns;

    real highest = LOWEST;
    for (int64 c = threadIdx.x; c < columns; c += THREADS) highest = fmax(highest, z[c]);
    highest = reduce_block(highest, Max());

    real total = 0;
    for (int64 c = threadIdx.x; c < columns; c += THREADS) total += exp(z[c] - highest);
    total = reduce_block(total, Add());

    for (int64 c = threadIdx.x; c < columns; c += THREADS) p[c] = exp(z[c] - highest) / total;
}

// dz_c = p_c (dp_c - ⟨dp, p⟩)
extern "C" __global__ void softmax_backward(const real* p, const real* dp, real* dz,
                                            int64 columns) {
    p += blockIdx.x * columns;
    dp += blockIdx.x * columns;
    dz += blockIdx.x * columns;

    real inner = 0;
    for (int64 c = threadIdx.x; c < columns; c += THREADS) inner += dp[c] * p[c];
    inner = reduce_block(inner, Add());

    for (int64 c = threadIdx.x; c < columns; c += THREADS) dz[c] = p[c] * (dp[c] - inner);
}

// ---------------------------------------------------------------------------------------------
// Softmax and cross-entropy in one, loss and gradient in one visit to each row.
//
// softmax_forward reads the row once for the maximum and again for the sum. One reading is enough
// ("online" softmax, Milakov and Gimelshein 2018, algorithm 3): keep the maximum so far and the sum
// relative to it, and when the maximum rises from a to b, multiply the sum by exp(a - b).
// ---------------------------------------------------------------------------------------------

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

// ---------------------------------------------------------------------------------------------
// LayerNorm: x̂ = (x - μ) r with r = 1 / √(v + ε), y = γ x̂ + β.
// ---------------------------------------------------------------------------------------------

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

// ---------------------------------------------------------------------------------------------
// AdamW: one thread per parameter.
// ---------------------------------------------------------------------------------------------

// w ← w - η λ w,  m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²,
// w ← w - η m̂ / (√v̂ + ε)  with  m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ).
//
// Seven memory accesses per parameter, however many operations stand between them. Differences
// like 1 - β₂ = 0.001 come ready from Python, where they are formed in double: 1 - 0.999f is already
// wrong in the fifth digit.
extern "C" __global__ void adamw_step(const real* w, const real* g, const real* m, const real* v,
                                      real* new_w, real* new_m, real* new_v, int64 n, real lr,
                                      real lr_times_decay, real beta1, real one_minus_beta1,
                                      real beta2, real one_minus_beta2, real correction1,
                                      real correction2, real eps) {
    const int64 i = this_element();
    if (i >= n) return;
    const real m_i = beta1 * m[i] + one_minus_beta1 * g[i];
    const real v_i = beta2 * v[i] + one_minus_beta2 * g[i] * g[i];
    const real m_hat = m_i / correction1;  // correction = 1 - βᵗ
    const real v_hat = v_i / correction2;
    new_w[i] = (w[i] - lr_times_decay * w[i]) - lr * m_hat / (sqrt(v_hat) + eps);
    new_m[i] = m_i;
    new_v[i] = v_i;
}
