// CUDA on the CPU, for judging kernels where there is no GPU. Not here: warp intrinsics
// (__shfl_sync, …), grids or blocks of more than one dimension, streams.
//
// The blocks of a grid run one after the other, so that a `static` variable behaves like __shared__
// memory. The threads of a block take turns: one runs until it comes to __syncthreads() or returns,
// then the next, and after the last the first goes on behind its __syncthreads(). So every run is
// the same, and a missing __syncthreads() shows: in blocks 0, 2, 4, … to a thread that reads what
// a later one writes, in blocks 1, 3, 5, …, where the last thread begins, the other way around.
//
// Threads that take turns need not be threads of the system: each has a stack of its own, and
// swapcontext() goes from one to the other, which makes a launch 30 times cheaper. Where there is
// no glibc to do it, they are real threads and meet at a real barrier, in whatever order.
//
// Few headers, because a file of kernels is compiled again for each number type and for each
// mistake that the tests make in it: those of the real threads take a second. GNU's <cmath> brings
// Bessel functions and their like, twice as much as all the rest; without the macro it does not.

#include <stddef.h>

#include <cstddef>
#undef _GLIBCXX_USE_STD_SPEC_FUNCS
#include <cmath>

#include <math.h>

#if defined(__GLIBC__) && !defined(SHIM_REAL_THREADS)
#define SHIM_THREAD_LOCAL
#else
#define SHIM_REAL_THREADS
#define SHIM_THREAD_LOCAL thread_local
#endif

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};

static SHIM_THREAD_LOCAL dim3 threadIdx, blockIdx, blockDim, gridDim;

#define __global__
#define __device__
#define __forceinline__ inline
#define __restrict__
#define __shared__ static

inline float rsqrt(float x) { return 1 / std::sqrt(x); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }

// How `extern __shared__ T name[]` gets its memory: as much as a launch may ask for.
alignas(max_align_t) static unsigned char shim_dynamic_shared[48 * 1024];

// A kernel with its arguments, which are pointers to their values as in cudaLaunchKernel.
struct shim_call {
    void (*kernel)(void** arguments);
    void** arguments;
};

#ifndef SHIM_REAL_THREADS

#include <stdlib.h>
#include <ucontext.h>

struct shim_thread {
    ucontext_t context;
    bool has_returned;
};

static shim_call shim_launched;
static shim_thread* shim_running;     // the thread whose turn it is
static ucontext_t shim_giving_turns;  // where shim_run_block waits for it

inline void __syncthreads() { swapcontext(&shim_running->context, &shim_giving_turns); }

template <typename T>
T atomicAdd(T* address, T value) {
    const T before = *address;
    *address = before + value;
    return before;
}

static void shim_run_thread() {
    shim_launched.kernel(shim_launched.arguments);
    shim_running->has_returned = true;
}

static void shim_run_block(shim_thread* crew, char* stacks, size_t stack_bytes) {
    const unsigned threads = blockDim.x;
    for (unsigned i = 0; i < threads; i++) {
        ucontext_t& context = crew[i].context;
        getcontext(&context);
        context.uc_stack.ss_sp = stacks + i * stack_bytes;
        context.uc_stack.ss_size = stack_bytes;
        context.uc_link = &shim_giving_turns;
        makecontext(&context, shim_run_thread, 0);
        crew[i].has_returned = false;
    }
    for (unsigned left = threads; left > 0;) {
        for (unsigned turn = 0; turn < threads; turn++) {
            threadIdx.x = blockIdx.x % 2 == 0 ? turn : threads - 1 - turn;
            shim_running = &crew[threadIdx.x];
            if (shim_running->has_returned) continue;
            swapcontext(&shim_giving_turns, &shim_running->context);
            if (shim_running->has_returned) left--;
        }
    }
}

// Run the kernel as a grid; false where the system does not give that many threads.
inline bool shim_launch(unsigned blocks, unsigned threads, shim_call call) {
    const size_t stack_bytes = 128 * 1024;  // the system gives only what is touched
    auto* crew = static_cast<shim_thread*>(malloc(threads * sizeof(shim_thread)));
    auto* stacks = static_cast<char*>(malloc(threads * stack_bytes));
    const bool is_possible = crew && stacks;
    shim_launched = call;
    threadIdx = {0, 0, 0};
    blockIdx = {0, 0, 0};
    blockDim = {threads, 1, 1};
    gridDim = {blocks, 1, 1};
    for (; is_possible && blockIdx.x < blocks; blockIdx.x++) {
        shim_run_block(crew, stacks, stack_bytes);
    }
    free(stacks);
    free(crew);
    return is_possible;
}

#else

#include <barrier>
#include <latch>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

// The barrier of the block that is running; new for each block, because a thread that returns from
// the kernel early leaves it for good, and the others then no longer wait for that thread.
static std::optional<std::barrier<>> shim_block_barrier;

inline void __syncthreads() { shim_block_barrier->arrive_and_wait(); }

template <typename T>
T atomicAdd(T* address, T value) {
    static std::mutex one_at_a_time;  // std::atomic_ref is younger than some compilers of C++20
    const std::lock_guard guard(one_at_a_time);
    const T before = *address;
    *address = before + value;
    return before;
}

// Run the kernel as a grid; false where the system does not give that many threads.
inline bool shim_launch(unsigned blocks, unsigned threads, shim_call call) {
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
            call.kernel(call.arguments);
            shim_block_barrier->arrive_and_drop();
            between_blocks.arrive_and_wait();
        }
    };

    std::vector<std::thread> crew;
    try {
        for (unsigned index = 0; index < threads; index++) crew.emplace_back(run_thread, index);
    } catch (const std::system_error&) {
        abandoned = true;
    }
    start.count_down();
    for (std::thread& thread : crew) thread.join();
    return !abandoned;
}

#endif
