// The GPU by hand: the hot parts of chapter 2 as CUDA kernels.
//
// A step of a recurrent network is one matrix product, h W_hhᵀ, which cuBLAS does, and then a dozen
// small elementwise operations: additions, three sigmoids, a tanh, products. On their own, each of
// them is a kernel that has to be launched, reads its operands from memory and writes its result
// back. With 32 examples and 128 units the arrays have 4096 elements: that is quickly done, and the
// launch, some microseconds, takes most of the time. The steps must run one after the other, so a
// sequence of a thousand steps pays for all of it a thousand times. Here everything in a step that
// is elementwise is one kernel, forward and backward: one thread per example and unit reads each
// number once, computes in registers, and writes once.
//
// Shapes: B examples, H units; in the embedding N tokens out of V, with D columns each. Arrays are
// C-contiguous; `real`, float or double, stands in common.cuh.

#include "common.cuh"

// σ(z) = 1 / (1 + e⁻ᶻ) = (1 + tanh(z/2)) / 2; the second form cannot overflow.
__device__ real sigmoid(real z) { return real(0.5) * (1 + tanh(real(0.5) * z)); }

// ---------------------------------------------------------------------------------------------
// The simple recurrent network.
// ---------------------------------------------------------------------------------------------

// h' = tanh(a + u + b) with a = x W_ihᵀ + b_ih, u = h W_hhᵀ and b = b_hh; all but b (B, H).
// Backward is that of tanh: the kernel of chapter 1.
extern "C" __global__ void rnn_forward(const real* a, const real* u, const real* bias, real* new_h,
                                       int64 n, int64 units) {
    const int64 at = this_element();
    if (at < n) new_h[at] = tanh(a[at] + u[at] + bias[at % units]);
}

// ---------------------------------------------------------------------------------------------
// LSTM: the gates i, f, g, o of one example lie one after the other, in a row of 4 H.
//
// Neighbouring threads work on neighbouring units, so each of a thread's four readings is coalesced
// with its neighbours', although the four lie H apart.
// ---------------------------------------------------------------------------------------------

// z = a + u + b (B, 4 H), and with its four parts
//   i, f, o = σ(z_i), σ(z_f), σ(z_o),  g = tanh z_g,  c' = f c + i g,  h' = o tanh c'.
extern "C" __global__ void lstm_forward(const real* a, const real* u, const real* bias,
                                        const real* c, real* gates, real* new_h, real* new_c,
                                        int64 n, int64 units) {
    const int64 at = this_element();  // of c, c' and h' (B, H)
    if (at >= n) return;
    const int64 unit = at % units;
    const int64 first = at / units * 4 * units + unit;  // of z_i in a row of 4 H

    const real i = sigmoid(a[first] + u[first] + bias[unit]);
    const real f = sigmoid(a[first + units] + u[first + units] + bias[unit + units]);
    const real g = tanh(a[first + 2 * units] + u[first + 2 * units] + bias[unit + 2 * units]);
    const real o = sigmoid(a[first + 3 * units] + u[first + 3 * units] + bias[unit + 3 * units]);
    const real memory = f * c[at] + i * g;

    gates[first] = i;
    gates[first + units] = f;
    gates[first + 2 * units] = g;
    gates[first + 3 * units] = o;
    new_c[at] = memory;
    new_h[at] = o * tanh(memory);
}

// The memory collects from both outputs: s = dc' + dh' o (1 - tanh² c'). Then
//   dz_i = s g i (1 - i),  dz_f = s c f (1 - f),  dz_g = s i (1 - g²),
//   dz_o = dh' tanh c' o (1 - o),  and for the memory before  dc = s f.
// tanh c' is computed again: c' is kept anyway, as the memory from which the next step begins, and
// a tanh costs less than writing and reading one more array.
extern "C" __global__ void lstm_backward(const real* gates, const real* c, const real* new_c,
                                         const real* d_new_h, const real* d_new_c, real* dz,
                                         real* dc, int64 n, int64 units) {
    const int64 at = this_element();
    if (at >= n) return;
    const int64 first = at / units * 4 * units + at % units;

    const real i = gates[first];
    const real f = gates[first + units];
    const real g = gates[first + 2 * units];
    const real o = gates[first + 3 * units];
    const real shown = tanh(new_c[at]);
    const real s = d_new_c[at] + d_new_h[at] * o * (1 - shown * shown);

    dz[first] = s * g * i * (1 - i);
    dz[first + units] = s * c[at] * f * (1 - f);
    dz[first + 2 * units] = s * i * (1 - g * g);
    dz[first + 3 * units] = d_new_h[at] * shown * o * (1 - o);
    dc[at] = s * f;
}

// ---------------------------------------------------------------------------------------------
// GRU: a and u have rows of 3 H, the parts r, z, n.
//
// The reset gate stands between the input's part of n and the state's, so the two stay apart:
// v = u_n + b_n is kept beside the gates, in rows r, z, n, v of 4 H.
// ---------------------------------------------------------------------------------------------

// r = σ(a_r + u_r + b_r),  z = σ(a_z + u_z + b_z),  n = tanh(a_n + r v),  h' = n + z (h - n)
extern "C" __global__ void gru_forward(const real* a, const real* u, const real* bias,
                                       const real* h, real* gates, real* new_h, int64 count,
                                       int64 units) {
    const int64 at = this_element();  // of h and h' (B, H)
    if (at >= count) return;
    const int64 row = at / units, unit = at % units;
    const int64 from = row * 3 * units + unit, to = row * 4 * units + unit;

    const real r = sigmoid(a[from] + u[from] + bias[unit]);
    const real z = sigmoid(a[from + units] + u[from + units] + bias[unit + units]);
    const real v = u[from + 2 * units] + bias[unit + 2 * units];
    const real n = tanh(a[from + 2 * units] + r * v);

    gates[to] = r;
    gates[to + units] = z;
    gates[to + 2 * units] = n;
    gates[to + 3 * units] = v;
    new_h[at] = n + z * (h[at] - n);
}

// da_n = dh' (1 - z) (1 - n²),  da_r = da_n v r (1 - r),  da_z = dh' (h - n) z (1 - z);
// du = da but for du_n = da_n r; and past the gates h itself gets dh = dh' z.
extern "C" __global__ void gru_backward(const real* gates, const real* h, const real* d_new_h,
                                        real* da, real* du, real* dh, int64 count, int64 units) {
    const int64 at = this_element();
    if (at >= count) return;
    const int64 row = at / units, unit = at % units;
    const int64 from = row * 4 * units + unit, to = row * 3 * units + unit;

    const real r = gates[from];
    const real z = gates[from + units];
    const real n = gates[from + 2 * units];
    const real v = gates[from + 3 * units];
    const real da_n = d_new_h[at] * (1 - z) * (1 - n * n);
    const real da_r = da_n * v * r * (1 - r);
    const real da_z = d_new_h[at] * (h[at] - n) * z * (1 - z);

    da[to] = du[to] = da_r;
    da[to + units] = du[to + units] = da_z;
    da[to + 2 * units] = da_n;
    du[to + 2 * units] = da_n * r;
    dh[at] = d_new_h[at] * z;
}

// ---------------------------------------------------------------------------------------------
// Embedding: row `token` of the weight (V, D) is the vector of that token.
// ---------------------------------------------------------------------------------------------

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
