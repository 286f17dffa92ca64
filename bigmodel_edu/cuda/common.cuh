// What the kernels of every chapter share: their number type, indices, and the reduction.
//
// Arrays are C-contiguous. Sizes and indices have 64 bits: a matrix of 2³¹ elements, the end of
// `int`, is only 8 GB of float. `real` is float or double; constants are written real(0.5), because
// 0.5 alone is a double and would drag the arithmetic of floats into double precision, which many
// GPUs do at a small fraction of the speed.

#ifndef REAL
#define REAL float
#endif
#ifndef THREADS
#define THREADS 128  // per block; a power of two, and the number the kernels are launched with
#endif

#define WARP 32  // threads that the hardware moves in step
#define WARPS (THREADS / WARP)

typedef REAL real;
typedef long long int64;

// The element of the array that this thread works on; the last block may reach past the end.
__device__ int64 this_element() { return blockIdx.x * int64(THREADS) + threadIdx.x; }

// ---------------------------------------------------------------------------------------------
// Reduction: one value per thread becomes one value for the block.
// ---------------------------------------------------------------------------------------------

// Combine the values of all threads of the block; every thread gets the result.
//
// A tree: thread i takes in the value of thread i + half, for half = THREADS/2, …, 2, 1, so that
// 128 values need 7 steps instead of 127, always in the same order: the result is the same to the
// last bit in every run, which a sum by atomicAdd is not.
template <typename Value, typename Combine>
__device__ Value reduce_block(Value mine, Combine combine) {
    __shared__ Value partial[THREADS];
    partial[threadIdx.x] = mine;
    __syncthreads();  // every value has been written before any other thread reads it
    for (int half = THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half)
            partial[threadIdx.x] = combine(partial[threadIdx.x], partial[threadIdx.x + half]);
        __syncthreads();  // outside the `if`: all threads of a block must come to this point
    }
    const Value result = partial[0];
    // A fast thread may go on to the next reduction and overwrite partial[0] while a slow one has
    // not read it yet, so wait once more.
    __syncthreads();
    return result;
}

struct Add {
    template <typename Value>
    __device__ Value operator()(Value a, Value b) const { return a + b; }
};

struct Max {
    __device__ real operator()(real a, real b) const { return fmax(a, b); }
};

// Two sums that travel through one reduction: half the waiting of two.
struct Pair {
    real first, second;
};
__device__ Pair operator+(Pair a, Pair b) { return {a.first + b.first, a.second + b.second}; }

// The most negative number: the maximum of nothing. Not -∞, because (-∞) - (-∞) is NaN.
constexpr real LOWEST =
    real(sizeof(real) == 8 ? -1.7976931348623157e308 : -3.4028234663852886e38);
