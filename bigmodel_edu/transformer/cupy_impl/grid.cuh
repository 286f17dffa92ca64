// The block as a grid: from here on its threads stand in ROW_LANES rows of COLUMN_LANES threads.
//
// A matrix is shared out over them as cards are dealt: the thread in row `row_lane()` and column
// `column_lane()` of the grid takes rows row_lane(), row_lane() + 8, … and columns column_lane(),
// column_lane() + 16, … So the 16 threads of one row of the grid hold whole rows between them.

constexpr int COLUMN_LANES = 16;
constexpr int ROW_LANES = THREADS / COLUMN_LANES;

__device__ int column_lane() { return threadIdx.x % COLUMN_LANES; }
__device__ int row_lane() { return threadIdx.x / COLUMN_LANES; }

__device__ int64 smaller(int64 a, int64 b) { return a < b ? a : b; }
__device__ int64 larger(int64 a, int64 b) { return a > b ? a : b; }

// Combine the values of the 16 threads that share a row, for each of the thread's N rows; all 16
// get the result. One barrier is enough: every thread combines all 16 by itself, in one order.
// Between two calls the caller has a barrier, so that nobody overwrites what another still reads.
template <int N, typename Combine>
__device__ void reduce_rows(real (&mine)[N], Combine combine) {
    __shared__ real partial[N * ROW_LANES][COLUMN_LANES + 1];
    for (int i = 0; i < N; i++) partial[row_lane() + i * ROW_LANES][column_lane()] = mine[i];
    __syncthreads();
    for (int i = 0; i < N; i++) {
        const real* row = partial[row_lane() + i * ROW_LANES];
        mine[i] = row[0];
        for (int lane = 1; lane < COLUMN_LANES; lane++) mine[i] = combine(mine[i], row[lane]);
    }
}
