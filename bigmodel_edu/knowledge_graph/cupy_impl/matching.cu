// The GPU by hand: the hot parts of chapter 8 as CUDA kernels.
//
// To rank the answers of a question, the query q is compared with every entity t: the score of a
// pair is a sum over the W numbers of a row, Σ_i f(q_i, t_i). Where f is a product, all scores of a
// batch are the matrix product q tᵀ, which cuBLAS does. Where it is a distance there is no library
// to call, and NumPy's way, an array (B, E, W) of differences that is summed afterwards, writes and
// reads W numbers of memory for every score: 512 queries, 15 000 entities and 256 numbers make
// 8 GB. The kernels here never store a difference, in either direction:
//
//   all candidates     works like a matrix product: tiles of rows lie in shared memory, and each
//                      number that is read there is used several times;
//   chosen candidates  a list of pairs (query, candidate): each query has its own few candidates,
//                      whose rows are read from the table of entities where they stand, instead of
//                      being gathered into an array (B, N, W) first.
//
// ‖q - t‖² = ‖q‖² + ‖t‖² - 2 q·t brings the matrix product back for one of the distances, and the
// reference takes it. But for near candidates, those that matter, it subtracts two almost equal
// numbers; in floats most of their digits are gone, and the reference has to look for such pairs
// and compute them again, one query after the other. Here the differences serve all pairs alike.
//
// Shapes: B queries, E entities, P pairs, rows of W numbers. Arrays are C-contiguous; `real`, float
// or double, and Pair stand in common.cuh.

#include "common.cuh"

// ---------------------------------------------------------------------------------------------
// Measures: what the kernels are made for. All are symmetric, f(a, b) = f(b, a), so that `slope`
// gives the gradient of either row.
//
//   Number   what a row consists of: W real numbers, or W/2 complex ones, whose imaginary parts
//            stand in the second half of the row;
//   term     f of two numbers; f of two zeros is 0, so that what a tile lacks may be zeros;
//   score    of the sum of the terms;
//   slope    ∂score/∂a of two numbers, but for a factor that the whole row shares;
//   weight   that factor times dy, the gradient of the score.
// ---------------------------------------------------------------------------------------------

struct OfReals {
    typedef real Number;
    static __device__ int64 numbers(int64 width) { return width; }
    static __device__ real load(const real* row, int64 i, int64 width) { return row[i]; }
    static __device__ void store(real* row, int64 i, int64 width, real x) { row[i] = x; }
};

struct OfComplexNumbers {
    typedef Pair Number;  // real and imaginary part
    static __device__ int64 numbers(int64 width) { return width / 2; }
    static __device__ Pair load(const real* row, int64 i, int64 width) {
        return {row[i], row[width / 2 + i]};
    }
    static __device__ void store(real* row, int64 i, int64 width, Pair x) {
        row[i] = x.first;
        row[width / 2 + i] = x.second;
    }
};

__device__ Pair operator*(real factor, Pair x) { return {factor * x.first, factor * x.second}; }

// score = q · t
struct Product : OfReals {
    static __device__ real term(real a, real b) { return a * b; }
    static __device__ real score(real sum) { return sum; }
    static __device__ real slope(real a, real b) { return b; }
    static __device__ real weight(real dy, real score) { return dy; }
};

// score = -Σ |q_i - t_i|. The slope of |a - b| is the sign of a - b: 0 at 0, and NaN of a NaN.
struct Manhattan : OfReals {
    static __device__ real term(real a, real b) { return fabs(a - b); }
    static __device__ real score(real sum) { return -sum; }
    static __device__ real slope(real a, real b) {
        const real difference = a - b;
        return difference > 0 ? real(1) : difference < 0 ? real(-1) : difference;
    }
    static __device__ real weight(real dy, real score) { return -dy; }
};

// score = -√(Σ (q_i - t_i)²), ∂score/∂q_i = (q_i - t_i) / score; 0 where all differences are.
struct Euclidean : OfReals {
    static __device__ real term(real a, real b) { return (a - b) * (a - b); }
    static __device__ real score(real sum) { return -sqrt(sum); }
    static __device__ real slope(real a, real b) { return a - b; }
    static __device__ real weight(real dy, real score) { return score == 0 ? real(0) : dy / score; }
};

// score = -Σ |q_i - t_i| of complex numbers. The slope is the difference at length 1; 0 at 0.
struct Modulus : OfComplexNumbers {
    static __device__ real length(Pair x) { return sqrt(x.first * x.first + x.second * x.second); }
    static __device__ Pair difference(Pair a, Pair b) {
        return {a.first - b.first, a.second - b.second};
    }
    static __device__ real term(Pair a, Pair b) { return length(difference(a, b)); }
    static __device__ real score(real sum) { return -sum; }
    static __device__ Pair slope(Pair a, Pair b) {
        const Pair towards = difference(a, b);
        const real distance = length(towards);
        return distance == 0 ? Pair{0, 0} : (1 / distance) * towards;
    }
    static __device__ real weight(real dy, real score) { return -dy; }
};

// ---------------------------------------------------------------------------------------------
// All candidates. The threads of a block stand in a grid of 8 rows and 16 columns, and each takes
// every eighth row and every sixteenth column of a tile.
// ---------------------------------------------------------------------------------------------

constexpr int COLUMN_LANES = 16;
constexpr int ROW_LANES = THREADS / COLUMN_LANES;

__device__ int column_lane() { return threadIdx.x % COLUMN_LANES; }
__device__ int row_lane() { return threadIdx.x / COLUMN_LANES; }

// Copy numbers start, start + 1, … of rows first, first + 1, … of x (rows, width) to shared memory.
// What x does not have becomes zeros. Neighbouring threads copy neighbouring numbers. A row of the
// copy has one number more than it needs, so that the numbers of a column lie in different banks.
template <typename Measure, int ROWS, int COLUMNS>
__device__ void load_tile(typename Measure::Number (&tile)[ROWS][COLUMNS + 1], const real* x,
                          int64 first, int64 rows, int64 start, int64 width) {
    for (int k = threadIdx.x; k < ROWS * COLUMNS; k += THREADS) {
        const int64 row = first + k / COLUMNS, i = start + k % COLUMNS;
        const bool exists = row < rows && i < Measure::numbers(width);
        tile[k / COLUMNS][k % COLUMNS] =
            exists ? Measure::load(x + row * width, i, width) : typename Measure::Number{};
    }
}

constexpr int SCORES = 64;  // per row and column of a tile of scores, SCORES in matching.py
constexpr int CHUNK = 16;   // numbers of a row that are in shared memory at one time

static_assert(SCORES % ROW_LANES == 0 && SCORES % COLUMN_LANES == 0, "a tile is dealt out evenly");
static_assert(2 * SCORES * (CHUNK + 1) * sizeof(Pair) <= 48 * 1024, "the tiles of score_all");

// scores (B, E) of queries q (B, W) and candidates t (E, W), one block per tile of 64×64 scores.
// A thread's 8×4 scores stay in its registers; 12 numbers read from shared memory serve 32 terms.
template <typename Measure>
__device__ void score_all(const real* q, const real* t, real* scores, int64 queries,
                          int64 candidates, int64 width) {
    constexpr int ROWS = SCORES / ROW_LANES, COLUMNS = SCORES / COLUMN_LANES;
    const int64 tiles = (candidates + SCORES - 1) / SCORES;
    const int64 first_query = blockIdx.x / tiles * SCORES;
    const int64 first_candidate = blockIdx.x % tiles * SCORES;

    __shared__ typename Measure::Number of_q[SCORES][CHUNK + 1], of_t[SCORES][CHUNK + 1];
    real sum[ROWS][COLUMNS] = {};
    for (int64 start = 0; start < Measure::numbers(width); start += CHUNK) {
        load_tile<Measure, SCORES, CHUNK>(of_q, q, first_query, queries, start, width);
        load_tile<Measure, SCORES, CHUNK>(of_t, t, first_candidate, candidates, start, width);
        __syncthreads();  // the numbers are there
        for (int c = 0; c < CHUNK; c++)
            #pragma unroll
            for (int i = 0; i < ROWS; i++)
                #pragma unroll
                for (int j = 0; j < COLUMNS; j++)
                    sum[i][j] += Measure::term(of_q[row_lane() + i * ROW_LANES][c],
                                               of_t[column_lane() + j * COLUMN_LANES][c]);
        __syncthreads();  // nobody needs them any more
    }

    #pragma unroll
    for (int i = 0; i < ROWS; i++)
        #pragma unroll
        for (int j = 0; j < COLUMNS; j++) {
            const int64 query = first_query + row_lane() + i * ROW_LANES;
            const int64 candidate = first_candidate + column_lane() + j * COLUMN_LANES;
            if (query < queries && candidate < candidates)
                scores[query * candidates + candidate] = Measure::score(sum[i][j]);
        }
}

constexpr int ROWS_OF_GRADIENT = 32;  // of a tile, ROWS_OF_GRADIENT in matching.py
constexpr int NUMBERS = 32;           // columns of that tile, NUMBERS in matching.py
constexpr int STEP = 32;              // rows on the other side that are added up at one time

static_assert(ROWS_OF_GRADIENT % ROW_LANES == 0 && NUMBERS % COLUMN_LANES == 0,
              "a tile is dealt out evenly");
static_assert(STEP * (NUMBERS + 1) * sizeof(Pair) + ROWS_OF_GRADIENT * (STEP + 1) * sizeof(real) <=
                  48 * 1024,
              "the tiles of gradient_all");

// The gradient of the rows on one side, a (R, W), from those on the other, b (S, W):
//   da_r = Σ_s weight(dy_rs, score_rs) slope(a_r, b_s),  dy and scores (R, S).
// With queries as a it is dq; with candidates as a, and dy and the scores transposed, dt.
//
// Like the product of the weights (R, S) and b (S, W), and like it in tiles: a block owns 32 rows
// and 32 numbers of da, and walks over the rows of b. The slopes are computed again, each where it
// is used up at once. Nothing is added by atomicAdd, so that the sums are the same in every run.
//
// A batch of queries is small, and its few tiles would leave most of a GPU idle. So each tile may
// be shared by `slices` blocks: block s of them takes steps s, s + slices, … of b and writes its
// sum to partial sums (slices, R, W), which are added up afterwards.
template <typename Measure>
__device__ void gradient_all(const real* a, const real* b, const real* dy, const real* scores,
                             real* partial, int64 rows, int64 others, int64 width, int64 slices) {
    typedef typename Measure::Number Number;
    constexpr int ROWS = ROWS_OF_GRADIENT / ROW_LANES, COLUMNS = NUMBERS / COLUMN_LANES;
    const int64 numbers = Measure::numbers(width);
    const int64 chunks = (numbers + NUMBERS - 1) / NUMBERS;
    const int64 slice = blockIdx.x % slices;
    const int64 start = blockIdx.x / slices % chunks * NUMBERS;
    const int64 first = blockIdx.x / slices / chunks * ROWS_OF_GRADIENT;
    partial += slice * rows * width;  // from here on, this block's slice

    Number mine[ROWS][COLUMNS], sum[ROWS][COLUMNS] = {};
    #pragma unroll
    for (int i = 0; i < ROWS; i++)
        #pragma unroll
        for (int j = 0; j < COLUMNS; j++) {
            const int64 row = first + row_lane() + i * ROW_LANES;
            const int64 at = start + column_lane() + j * COLUMN_LANES;
            mine[i][j] = row < rows && at < numbers ? Measure::load(a + row * width, at, width)
                                                    : Number{};
        }

    __shared__ Number of_b[STEP][NUMBERS + 1];
    __shared__ real weights[ROWS_OF_GRADIENT][STEP + 1];
    for (int64 step = slice * STEP; step < others; step += slices * STEP) {
        load_tile<Measure, STEP, NUMBERS>(of_b, b, step, others, start, width);
        for (int k = threadIdx.x; k < ROWS_OF_GRADIENT * STEP; k += THREADS) {
            const int64 row = first + k / STEP, other = step + k % STEP;
            const int64 at = row * others + other;
            weights[k / STEP][k % STEP] =
                row < rows && other < others ? Measure::weight(dy[at], scores[at]) : real(0);
        }
        __syncthreads();  // the numbers and the weights are there
        for (int s = 0; s < STEP; s++)
            #pragma unroll
            for (int i = 0; i < ROWS; i++)
                #pragma unroll
                for (int j = 0; j < COLUMNS; j++)
                    sum[i][j] = sum[i][j] + weights[row_lane() + i * ROW_LANES][s] *
                        Measure::slope(mine[i][j], of_b[s][column_lane() + j * COLUMN_LANES]);
        __syncthreads();  // nobody needs them any more
    }

    #pragma unroll
    for (int i = 0; i < ROWS; i++)
        #pragma unroll
        for (int j = 0; j < COLUMNS; j++) {
            const int64 row = first + row_lane() + i * ROW_LANES;
            const int64 at = start + column_lane() + j * COLUMN_LANES;
            if (row < rows && at < numbers)
                Measure::store(partial + row * width, at, width, sum[i][j]);
        }
}

// ---------------------------------------------------------------------------------------------
// Chosen candidates: pair p is row owners[p] of the queries with row partners[p] of the table of
// entities. A graph is such a list as well: an edge is a pair of target and source.
// ---------------------------------------------------------------------------------------------

// scores (P,), one row of the grid of threads, 16 of them, per pair: a row of an embedding is
// short, and a whole block for each would mostly wait at its barriers.
template <typename Measure>
__device__ void score_chosen(const real* a, const real* b, const int64* owners,
                             const int64* partners, real* scores, int64 pairs, int64 width) {
    const int64 pair = blockIdx.x * int64(ROW_LANES) + row_lane();
    real mine = 0;
    if (pair < pairs) {  // not `return`: every thread is expected at __syncthreads below
        a += owners[pair] * width;
        b += partners[pair] * width;
        for (int64 i = column_lane(); i < Measure::numbers(width); i += COLUMN_LANES)
            mine += Measure::term(Measure::load(a, i, width), Measure::load(b, i, width));
    }

    __shared__ real partial[ROW_LANES][COLUMN_LANES + 1];
    partial[row_lane()][column_lane()] = mine;
    __syncthreads();
    if (column_lane() == 0 && pair < pairs) {
        for (int lane = 1; lane < COLUMN_LANES; lane++) mine += partial[row_lane()][lane];
        scores[pair] = Measure::score(mine);
    }
}

// The gradient of the rows on one side, a (R, W), from those on the other, b:
//   da_r = Σ weight(dy_p, score_p) slope(a_r, b_partner(p))  over the pairs p of row r,
// which are order[starts[r]], …, order[starts[r + 1] - 1]. It is dq with queries as a, and with
// entities as a their gradient: an entity that is nobody's candidate gets zeros. With the product
// as measure it is Σ dy_p b_partner(p): a weighted sum of neighbours, which is what R-GCN needs.
//
// One block per row and 32 numbers: the 32 threads of a warp read 32 neighbours of a row together,
// the warps share the pairs, and warp 0 adds up what all found, in a fixed order.
template <typename Measure>
__device__ void gradient_chosen(const real* a, const real* b, const real* dy, const real* scores,
                                const int64* order, const int64* starts, const int64* partners,
                                real* da, int64 width) {
    typedef typename Measure::Number Number;
    const int64 numbers = Measure::numbers(width);
    const int64 chunks = (numbers + WARP - 1) / WARP;
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    const int64 row = blockIdx.x / chunks, i = blockIdx.x % chunks * WARP + lane;

    Number mine = {};
    if (i < numbers) {  // not `return`: every thread is expected at __syncthreads below
        const Number own = Measure::load(a + row * width, i, width);
        for (int64 k = starts[row] + warp; k < starts[row + 1]; k += WARPS) {
            const int64 pair = order[k];
            const Number other = Measure::load(b + partners[pair] * width, i, width);
            mine = mine + Measure::weight(dy[pair], scores[pair]) * Measure::slope(own, other);
        }
    }

    __shared__ Number partial[THREADS];
    partial[threadIdx.x] = mine;
    __syncthreads();
    if (warp == 0 && i < numbers) {
        for (int w = 1; w < WARPS; w++) mine = mine + partial[w * WARP + lane];
        Measure::store(da + row * width, i, width, mine);
    }
}

// ---------------------------------------------------------------------------------------------
// The kernels: each of the above for each measure. All products are cuBLAS's and not among them.
// ---------------------------------------------------------------------------------------------

extern "C" __global__ void manhattan_all(const real* q, const real* t, real* scores, int64 queries,
                                         int64 candidates, int64 width) {
    score_all<Manhattan>(q, t, scores, queries, candidates, width);
}

extern "C" __global__ void euclidean_all(const real* q, const real* t, real* scores, int64 queries,
                                         int64 candidates, int64 width) {
    score_all<Euclidean>(q, t, scores, queries, candidates, width);
}

extern "C" __global__ void modulus_all(const real* q, const real* t, real* scores, int64 queries,
                                       int64 candidates, int64 width) {
    score_all<Modulus>(q, t, scores, queries, candidates, width);
}

extern "C" __global__ void manhattan_all_backward(const real* a, const real* b, const real* dy,
                                                  const real* scores, real* partial, int64 rows,
                                                  int64 others, int64 width, int64 slices) {
    gradient_all<Manhattan>(a, b, dy, scores, partial, rows, others, width, slices);
}

extern "C" __global__ void euclidean_all_backward(const real* a, const real* b, const real* dy,
                                                  const real* scores, real* partial, int64 rows,
                                                  int64 others, int64 width, int64 slices) {
    gradient_all<Euclidean>(a, b, dy, scores, partial, rows, others, width, slices);
}

extern "C" __global__ void modulus_all_backward(const real* a, const real* b, const real* dy,
                                                const real* scores, real* partial, int64 rows,
                                                int64 others, int64 width, int64 slices) {
    gradient_all<Modulus>(a, b, dy, scores, partial, rows, others, width, slices);
}

extern "C" __global__ void product_chosen(const real* a, const real* b, const int64* owners,
                                          const int64* partners, real* scores, int64 pairs,
                                          int64 width) {
    score_chosen<Product>(a, b, owners, partners, scores, pairs, width);
}

extern "C" __global__ void manhattan_chosen(const real* a, const real* b, const int64* owners,
                                            const int64* partners, real* scores, int64 pairs,
                                            int64 width) {
    score_chosen<Manhattan>(a, b, owners, partners, scores, pairs, width);
}

extern "C" __global__ void euclidean_chosen(const real* a, const real* b, const int64* owners,
                                            const int64* partners, real* scores, int64 pairs,
                                            int64 width) {
    score_chosen<Euclidean>(a, b, owners, partners, scores, pairs, width);
}

extern "C" __global__ void modulus_chosen(const real* a, const real* b, const int64* owners,
                                          const int64* partners, real* scores, int64 pairs,
                                          int64 width) {
    score_chosen<Modulus>(a, b, owners, partners, scores, pairs, width);
}

extern "C" __global__ void product_chosen_backward(const real* a, const real* b, const real* dy,
                                                   const real* scores, const int64* order,
                                                   const int64* starts, const int64* partners,
                                                   real* da, int64 width) {
    gradient_chosen<Product>(a, b, dy, scores, order, starts, partners, da, width);
}

extern "C" __global__ void manhattan_chosen_backward(const real* a, const real* b, const real* dy,
                                                     const real* scores, const int64* order,
                                                     const int64* starts, const int64* partners,
                                                     real* da, int64 width) {
    gradient_chosen<Manhattan>(a, b, dy, scores, order, starts, partners, da, width);
}

extern "C" __global__ void euclidean_chosen_backward(const real* a, const real* b, const real* dy,
                                                     const real* scores, const int64* order,
                                                     const int64* starts, const int64* partners,
                                                     real* da, int64 width) {
    gradient_chosen<Euclidean>(a, b, dy, scores, order, starts, partners, da, width);
}

extern "C" __global__ void modulus_chosen_backward(const real* a, const real* b, const real* dy,
                                                   const real* scores, const int64* order,
                                                   const int64* starts, const int64* partners,
                                                   real* da, int64 width) {
    gradient_chosen<Modulus>(a, b, dy, scores, order, starts, partners, da, width);
}
