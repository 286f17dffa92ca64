// LSTM: the gates i, f, g, o of one example lie one after the other, in a row of 4 H.
//
// Neighbouring threads work on neighbouring units, so each of a thread's four readings is coalesced
// with its neighbours', although the four lie H apart.
//
// Why a step is one kernel stands in cell.cuh.

#include "common.cuh"
#include "cell.cuh"

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
