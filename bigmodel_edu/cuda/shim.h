// CUDA on the CPU, for judging kernels where there is no GPU: every CUDA thread is a real thread,
// __syncthreads() a real barrier. Slow and faithful; needs C++20.
//
// One launch makes the threads of one block, and they run the blocks of the grid one after the
// other, so that a `static` variable behaves like __shared__ memory. Not here: warp intrinsics
// (__shfl_sync, …), grids or blocks of more than one dimension, streams.

#include <math.h>
#include <stddef.h>

#include <barrier>
#include <cmath>
#include <cstddef>
#include <functional>
#include <latch>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};

static thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;

#define __global__
#define __device__
#define __forceinline__ inline
#define __restrict__
#define __shared__ static

// How `extern __shared__ T name[]` gets its memory.
inline std::vector<std::max_align_t> shim_dynamic_shared;

// The barrier of the block that is running; new for each block, because a thread that returns from
// the kernel early leaves it for good, and the others then no longer wait for that thread.
inline std::optional<std::barrier<>> shim_block_barrier;

inline void __syncthreads() { shim_block_barrier->arrive_and_wait(); }

template <typename T>
T atomicAdd(T* address, T value) {
    static std::mutex one_at_a_time;  // std::atomic_ref is younger than some compilers of C++20
    const std::lock_guard guard(one_at_a_time);
    const T before = *address;
    *address = before + value;
    return before;
}

inline float rsqrt(float x) { return 1 / std::sqrt(x); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }

// Run `kernel` as a grid; false where the system does not give that many threads.
inline bool shim_launch(unsigned blocks, unsigned threads, size_t shared_bytes,
                        const std::function<void()>& kernel) {
    static std::mutex one_launch_at_a_time;
    const std::lock_guard guard(one_launch_at_a_time);
    shim_dynamic_shared.assign(shared_bytes / sizeof(std::max_align_t) + 1, {});
    shim_block_barrier.emplace(threads);

    const auto renew = [threads]() noexcept { shim_block_barrier.emplace(threads); };
    std::barrier between_blocks(threads, renew);
    std::latch start(1);
    bool abandoned = false;

    const auto run_thread = [&](unsigned index) {
        start.wait();
        if (abandoned) return;
        threadIdx = {index, 0, 0};
        blockDim = {threads, 1, 1};
        gridDim = {blocks, 1, 1};
        for (unsigned block = 0; block < blocks; block++) {
            blockIdx = {block, 0, 0};
            kernel();
            shim_block_barrier->arrive_and_drop();
            between_blocks.arrive_and_wait();
        }
    };

    std::vector<std::thread> pool;
    try {
        for (unsigned index = 0; index < threads; index++) pool.emplace_back(run_thread, index);
    } catch (const std::system_error&) {
        abandoned = true;
    }
    start.count_down();
    for (std::thread& thread : pool) thread.join();
    return !abandoned;
}
