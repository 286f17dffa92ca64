// The GPU by hand: the activations, the first of the CUDA kernels of chapter 1.
//
// A kernel is a function that thousands of threads run at once. Threads come in blocks of THREADS;
// those of one block can share a small, fast memory (__shared__) and wait for each other
// (__syncthreads). The kernels of this chapter need two patterns:
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
