// AdamW: one thread per parameter.
//
// The patterns of these kernels are explained in activations.cu.

#include "common.cuh"

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
