// SwiGLU: one thread per element.
//
// The patterns of these kernels are explained in attention.cu.

#include "common.cuh"

// σ(a) = 1 / (1 + e⁻ᵃ) = (1 + tanh(a/2)) / 2; the second form cannot overflow.
__device__ real sigmoid(real a) { return real(0.5) * (1 + tanh(real(0.5) * a)); }

// hidden = silu(gate) up with silu(a) = a σ(a)
extern "C" __global__ void swiglu_forward(const real* gate, const real* up, real* hidden,
                                          int64 n) {
    const int64 i = this_element();
    if (i < n) hidden[i] = gate[i] * sigmoid(gate[i]) * up[i];
}

// d_gate = d_hidden up silu'(gate) with silu'(a) = σ (1 + a (1 - σ)), d_up = d_hidden silu(gate).
// σ is computed again, which costs less than writing it to memory and reading it back.
extern "C" __global__ void swiglu_backward(const real* gate, const real* up, const real* d_hidden,
                                           real* d_gate, real* d_up, int64 n) {
    const int64 i = this_element();
    if (i >= n) return;
    const real s = sigmoid(gate[i]);
    d_gate[i] = d_hidden[i] * up[i] * s * (1 + gate[i] * (1 - s));
    d_up[i] = d_hidden[i] * gate[i] * s;
}
