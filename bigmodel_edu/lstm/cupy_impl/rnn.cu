// The simple recurrent network: the elementwise part of a step. What it is for stands in cell.cuh.

#include "common.cuh"

// h' = tanh(a + u + b) with a = x W_ihᵀ + b_ih, u = h W_hhᵀ and b = b_hh; all but b (B, H).
// Backward is that of tanh: the kernel of chapter 1.
extern "C" __global__ void rnn_forward(const real* a, const real* u, const real* bias, real* new_h,
                                       int64 n, int64 units) {
    const int64 at = this_element();
    if (at < n) new_h[at] = tanh(a[at] + u[at] + bias[at % units]);
}
