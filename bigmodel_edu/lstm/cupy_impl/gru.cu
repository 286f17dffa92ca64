// GRU: a and u have rows of 3 H, the parts r, z, n.
//
// The reset gate stands between the input's part of n and the state's, so the two stay apart:
// v = u_n + b_n is kept beside the gates, in rows r, z, n, v of 4 H.
//
// Why a step is one kernel stands in cell.cuh.

#include "common.cuh"
#include "cell.cuh"

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
