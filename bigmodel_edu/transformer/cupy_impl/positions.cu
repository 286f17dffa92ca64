// Rotary positions: one thread per pair of elements.
//
// The patterns of these kernels are explained in attention.cu.

#include "common.cuh"

// y_i = x_i cos θ - x_{i+d/2} sin θ and y_{i+d/2} = x_{i+d/2} cos θ + x_i sin θ, θ by position and
// pair; the gradient is turned back, with `direction` -1.
//
// The cosines and sines (length, half) come from Python, where θ is formed in double: a float of
// the size of 10⁵, the angle of a late position, is only known to a hundredth.
extern "C" __global__ void rotary(const real* x, const real* cosines, const real* sines, real* y,
                                  int64 pairs, int64 length, int64 half, real direction) {
    const int64 at = this_element();
    if (at >= pairs) return;
    const int64 row = at / half, pair = at % half;
    const int64 angle = row % length * half + pair;
    const int64 first = row * 2 * half + pair, second = first + half;
    const real cosine = cosines[angle], sine = direction * sines[angle];
    y[first] = x[first] * cosine - x[second] * sine;
    y[second] = x[second] * cosine + x[first] * sine;
}
