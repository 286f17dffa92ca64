// FlashAttention: y = softmax(q kᵀ · scale) v without the T×S matrix (Dao et al. 2022).
//
// A GPU multiplies faster than its memory delivers: from main memory to an H100's cores come under
// a trillion floats a second, and the cores could multiply and add thirty trillion times. Attention
// by the formula writes T×S scores to memory, reads them for the softmax, writes T×S weights, reads
// them for the second product. The cure is to work on tiles that fit into shared memory, which is
// on the chip: TILE queries against TILE keys at a time, and a tile's scores are used up at once.
//
// One block owns TILE queries (or, for dk and dv, TILE keys) and walks over the others in tiles.
// It holds two panels, TILE rows of up to MAX_HEAD numbers each, and one square of TILE×TILE.
// What it adds up, y or dq or dk and dv, stays in the registers of its threads the whole time.
//
// Shared memory ends at 48 KB per block. For doubles, twice as large, a tile has half the rows.

#include "common.cuh"
#include "grid.cuh"

constexpr int MAX_HEAD = 128;                       // features of a head, MAX_HEAD in flash.py
constexpr int TILE = sizeof(real) == 4 ? 32 : 16;   // rows of a panel
constexpr int ROWS = TILE / ROW_LANES;              // rows of a tile per thread
constexpr int COLUMNS = TILE / COLUMN_LANES;        // columns of a square per thread
constexpr int FEATURES = MAX_HEAD / COLUMN_LANES;   // columns of a panel per thread

// Shared memory has 32 banks; neighbouring numbers lie in neighbouring banks, and threads that want
// different numbers of one bank have to queue. In a panel with 128 columns all numbers of a column
// would lie in the same bank; with 129, each row is shifted by one bank against the row before.
typedef real Panel[TILE][MAX_HEAD + 1];
typedef real Square[TILE][TILE + 1];
typedef real OfSquare[ROWS][COLUMNS];    // a thread's part of a square, in registers
typedef real OfPanel[ROWS][FEATURES];    // a thread's part of a panel, in registers

static_assert(TILE % ROW_LANES == 0 && TILE % COLUMN_LANES == 0, "a tile is dealt out evenly");
static_assert(2 * sizeof(Panel) + sizeof(Square) + 2 * sizeof(real) * TILE * (COLUMN_LANES + 1) <=
                  48 * 1024,
              "shared memory of flash_forward, the largest of the three");

// Which row of a tile, and which column of a square or a panel, is the thread's i-th.
__device__ int my_row(int i) { return row_lane() + i * ROW_LANES; }
__device__ int my_column(int j) { return column_lane() + j * COLUMN_LANES; }

// Copy rows first, first + 1, … of x (rows, width) to a panel, times `factor`; rows that x does not
// have become zeros, which add nothing to any product.
__device__ void load_panel(Panel& panel, const real* x, int64 first, int64 rows, int width,
                           real factor = 1) {
    #pragma unroll
    for (int i = 0; i < ROWS; i++) {
        const int64 row = first + my_row(i);
        #pragma unroll
        for (int f = 0; f < FEATURES; f++) {
            const int c = my_column(f);
            if (c < width) panel[my_row(i)][c] = row < rows ? factor * x[row * width + c] : real(0);
        }
    }
}

// Write a thread's part of a panel to rows first, first + 1, … of x (rows, width).
__device__ void store_panel(const OfPanel& part, real* x, int64 first, int64 rows, int width) {
    #pragma unroll
    for (int i = 0; i < ROWS; i++)
        #pragma unroll
        for (int f = 0; f < FEATURES; f++)
            if (first + my_row(i) < rows && my_column(f) < width)
                x[(first + my_row(i)) * width + my_column(f)] = part[i][f];
}

// s = a bᵀ, for the thread's elements of the square. With 4 rows and 2 columns per thread each
// number that is read from shared memory is used several times: 8 products from 6 readings.
__device__ void multiply(OfSquare& s, const Panel& a, const Panel& b, int width) {
    #pragma unroll
    for (int i = 0; i < ROWS; i++)
        #pragma unroll
        for (int j = 0; j < COLUMNS; j++) s[i][j] = 0;
    for (int c = 0; c < width; c++)
        #pragma unroll
        for (int i = 0; i < ROWS; i++)
            #pragma unroll
            for (int j = 0; j < COLUMNS; j++) s[i][j] += a[my_row(i)][c] * b[my_column(j)][c];
}

// sum += w x, for the thread's elements of the panel `sum`. Its length is a constant, TILE, and so
// are those of the inner loops: unrolled, they need no index, and `sum` can stay in registers.
__device__ void add_product(OfPanel& sum, const Square& w, const Panel& x, int width) {
    for (int c = 0; c < TILE; c++)
        #pragma unroll
        for (int f = 0; f < FEATURES; f++)
            if (my_column(f) < width) {
                const real x_cf = x[c][my_column(f)];
                #pragma unroll
                for (int i = 0; i < ROWS; i++) sum[i][f] += w[my_row(i)][c] * x_cf;
            }
}

// Who may look at whom: query i at the first `keys` keys (the rest is padding), as far as key
// i + `offset`: S - T under the causal mask, S (as good as everything) without.
struct Mask {
    int64 queries, keys, offset;

    __device__ bool allows(int64 query, int64 key) const {
        return query < queries && key < keys && key <= query + offset;
    }
    // The tiles of keys that `TILE` queries from `first` on look at end before this key. The tiles
    // behind it, wholly in the future or wholly padding, are skipped: half of all, under a causal
    // mask.
    __device__ int64 end_of_keys(int64 first) const { return smaller(keys, first + TILE + offset); }
    // The first tile with a query that sees a key of the tile that begins with key `first`.
    __device__ int64 first_query(int64 first) const {
        return larger(first - offset, 0) / TILE * TILE;
    }
};

// Put LOWEST, whose exponential is 0, where a query may not look. Not -∞: (-∞) - (-∞) is NaN.
__device__ void hide(OfSquare& s, const Mask& mask, int64 first_query, int64 first_key) {
    #pragma unroll
    for (int i = 0; i < ROWS; i++)
        #pragma unroll
        for (int j = 0; j < COLUMNS; j++)
            if (!mask.allows(first_query + my_row(i), first_key + my_column(j))) s[i][j] = LOWEST;
}

// Forward: y and log_sums = log Σ exp(s) of each query, which is all that backward needs of the
// weights. One block per tile of queries of one head.
//
// The softmax needs the maximum and the sum of a whole row, of which the block sees one tile at a
// time. So it keeps, for the keys seen so far, their maximum m, l = Σ exp(s - m) and
// o = Σ exp(s - m) v. When a tile raises the maximum from m to m', all that is multiplied by
// exp(m - m'), as if m' had been known from the beginning; and o / l is the answer at the end
// ("online" softmax, Milakov and Gimelshein 2018). Nothing is approximated.
//
// Queries (B, heads, T, d), keys (B, kv_heads, S, d), values (B, kv_heads, S, e). Seen as a list of
// B · heads heads, query head i goes with key head i / (heads / kv_heads).
extern "C" __global__ void flash_forward(const real* q, const real* k, const real* v,
                                         const int64* lengths, real* y, real* log_sums,
                                         int64 heads, int64 kv_heads, int64 queries, int64 keys,
                                         int64 d, int64 e, int64 offset, real scale) {
    const int64 tiles = (queries + TILE - 1) / TILE;
    const int64 head = blockIdx.x / tiles, first = blockIdx.x % tiles * TILE;
    const int64 kv_head = head / (heads / kv_heads);
    const Mask mask = {queries, lengths[head / heads], offset};
    q += head * queries * d;  // from here on, this block's head
    k += kv_head * keys * d;
    v += kv_head * keys * e;
    y += head * queries * e;
    log_sums += head * queries;

    __shared__ Panel own, other;
    __shared__ Square weights;
    OfSquare s;
    OfPanel o = {};
    real m[ROWS], l[ROWS];
    for (int i = 0; i < ROWS; i++) {
        m[i] = LOWEST;
        l[i] = 0;  // of the thread's own columns; the 16 sums of a row are added at the end
    }

    load_panel(own, q, first, queries, d, scale);
    for (int64 start = 0; start < mask.end_of_keys(first); start += TILE) {
        load_panel(other, k, start, keys, d);
        __syncthreads();  // the keys are there
        multiply(s, own, other, d);
        hide(s, mask, first, start);

        real highest[ROWS];
        #pragma unroll
        for (int i = 0; i < ROWS; i++) {
            highest[i] = m[i];
            #pragma unroll
            for (int j = 0; j < COLUMNS; j++) highest[i] = fmax(highest[i], s[i][j]);
        }
        reduce_rows(highest, Max());  // its barrier also says that nobody needs the keys any more

        load_panel(other, v, start, keys, e);
        #pragma unroll
        for (int i = 0; i < ROWS; i++) {
            const real shrink = exp(m[i] - highest[i]);
            m[i] = highest[i];
            l[i] *= shrink;
            #pragma unroll
            for (int f = 0; f < FEATURES; f++) o[i][f] *= shrink;
            #pragma unroll
            for (int j = 0; j < COLUMNS; j++) {
                const real weight = exp(s[i][j] - m[i]);
                l[i] += weight;
                weights[my_row(i)][my_column(j)] = weight;
            }
        }
        __syncthreads();  // the values and the weights are there
        add_product(o, weights, other, e);
        __syncthreads();  // nobody needs them any more
    }

    reduce_rows(l, Add());
    #pragma unroll
    for (int i = 0; i < ROWS; i++) {
        #pragma unroll
        for (int f = 0; f < FEATURES; f++) o[i][f] /= l[i];
        if (column_lane() == 0 && first + my_row(i) < queries)
            log_sums[first + my_row(i)] = m[i] + log(l[i]);
    }
    store_panel(o, y, first, queries, e);
}

// Backward computes the weights of a tile again, p = exp(s - log_sum), instead of storing them:
//   dp = dy vᵀ,  ds = p (dp - D),  dq = ds k · scale,  dk = dsᵀ q · scale,  dv = pᵀ dy,
// with D = ⟨dp, p⟩ = ⟨dy, y⟩ of each query: a sum over e features instead of S keys.
//
// dq of a query sums over all keys, dk and dv of a key over all queries. Blocks that own queries
// would all have to add to the same dk and dv, with atomicAdd: a queue, and sums in whatever order
// the blocks happen to come, so that the last bits differ from run to run. Two kernels, one whose
// blocks own queries and one whose blocks own keys, add in registers and in a fixed order. The
// price is that s and dp are computed twice: 7 products of tiles instead of 5.

// The weights of a tile from the scores: rows are queries, those beyond the last get 0.
__device__ void weights_of(OfSquare& p, const OfSquare& s, const real* log_sums, int64 first,
                           int64 queries) {
    #pragma unroll
    for (int i = 0; i < ROWS; i++) {
        const int64 query = first + my_row(i);
        #pragma unroll
        for (int j = 0; j < COLUMNS; j++)
            p[i][j] = query < queries ? exp(s[i][j] - log_sums[query]) : real(0);
    }
}

// dq, and D for the kernel after this one. One block per tile of queries of one head.
extern "C" __global__ void flash_backward_queries(
    const real* q, const real* k, const real* v, const int64* lengths, const real* y,
    const real* log_sums, const real* dy, real* dq, real* along_p, int64 heads, int64 kv_heads,
    int64 queries, int64 keys, int64 d, int64 e, int64 offset, real scale) {
    const int64 tiles = (queries + TILE - 1) / TILE;
    const int64 head = blockIdx.x / tiles, first = blockIdx.x % tiles * TILE;
    const int64 kv_head = head / (heads / kv_heads);
    const Mask mask = {queries, lengths[head / heads], offset};
    q += head * queries * d;
    k += kv_head * keys * d;
    v += kv_head * keys * e;
    y += head * queries * e;
    dy += head * queries * e;
    dq += head * queries * d;
    log_sums += head * queries;
    along_p += head * queries;

    real inner[ROWS];  // D
    for (int i = 0; i < ROWS; i++) {
        const int64 query = first + my_row(i);
        inner[i] = 0;
        for (int64 c = column_lane(); query < queries && c < e; c += COLUMN_LANES)
            inner[i] += dy[query * e + c] * y[query * e + c];
    }
    reduce_rows(inner, Add());
    for (int i = 0; i < ROWS; i++)
        if (column_lane() == 0 && first + my_row(i) < queries)
            along_p[first + my_row(i)] = inner[i];

    __shared__ Panel own, other;
    __shared__ Square ds;
    OfSquare s, p, dp;
    OfPanel sum = {};  // dq / scale
    for (int64 start = 0; start < mask.end_of_keys(first); start += TILE) {
        // Four panels would not fit into shared memory, so these two take turns.
        load_panel(own, q, first, queries, d, scale);
        load_panel(other, k, start, keys, d);
        __syncthreads();
        multiply(s, own, other, d);
        hide(s, mask, first, start);
        weights_of(p, s, log_sums, first, queries);
        __syncthreads();

        load_panel(own, dy, first, queries, e);
        load_panel(other, v, start, keys, e);
        __syncthreads();
        multiply(dp, own, other, e);
        #pragma unroll
        for (int i = 0; i < ROWS; i++)
            #pragma unroll
            for (int j = 0; j < COLUMNS; j++)
                ds[my_row(i)][my_column(j)] = p[i][j] * (dp[i][j] - inner[i]);
        __syncthreads();

        load_panel(other, k, start, keys, d);
        __syncthreads();
        add_product(sum, ds, other, d);
        __syncthreads();
    }

    #pragma unroll
    for (int i = 0; i < ROWS; i++)
        #pragma unroll
        for (int f = 0; f < FEATURES; f++) sum[i][f] *= scale;
    store_panel(sum, dq, first, queries, d);
}

// dk and dv. One block per tile of keys of one key head; it walks over the tiles of queries of each
// query head that shares the keys, so that their gradients add up in the same registers.
extern "C" __global__ void flash_backward_keys(
    const real* q, const real* k, const real* v, const int64* lengths, const real* log_sums,
    const real* along_p, const real* dy, real* dk, real* dv, int64 heads, int64 kv_heads,
    int64 queries, int64 keys, int64 d, int64 e, int64 offset, real scale) {
    const int64 tiles = (keys + TILE - 1) / TILE;
    const int64 kv_head = blockIdx.x / tiles, first = blockIdx.x % tiles * TILE;
    const int64 shared_by = heads / kv_heads;
    const Mask mask = {queries, lengths[kv_head / kv_heads], offset};
    k += kv_head * keys * d;
    v += kv_head * keys * e;
    dk += kv_head * keys * d;
    dv += kv_head * keys * e;

    __shared__ Panel of_queries, own;
    __shared__ Square turned;  // pᵀ, then dsᵀ: a row per key
    OfSquare s, p, dp;
    OfPanel dk_sum = {}, dv_sum = {};

    // Keys that are padding have gradients of zero, which `for` leaves as they are.
    const int64 begin = first < mask.keys ? mask.first_query(first) : queries;
    for (int64 head = kv_head * shared_by; head < (kv_head + 1) * shared_by; head++) {
        const real* head_q = q + head * queries * d;
        const real* head_dy = dy + head * queries * e;
        for (int64 start = begin; start < queries; start += TILE) {
            load_panel(of_queries, head_q, start, queries, d, scale);
            load_panel(own, k, first, keys, d);
            __syncthreads();
            multiply(s, of_queries, own, d);
            hide(s, mask, start, first);
            weights_of(p, s, log_sums + head * queries, start, queries);
            #pragma unroll
            for (int i = 0; i < ROWS; i++)
                #pragma unroll
                for (int j = 0; j < COLUMNS; j++) turned[my_column(j)][my_row(i)] = p[i][j];
            __syncthreads();

            load_panel(of_queries, head_dy, start, queries, e);
            load_panel(own, v, first, keys, e);
            __syncthreads();
            add_product(dv_sum, turned, of_queries, e);
            multiply(dp, of_queries, own, e);
            __syncthreads();

            load_panel(of_queries, head_q, start, queries, d, scale);
            #pragma unroll
            for (int i = 0; i < ROWS; i++) {
                const int64 query = start + my_row(i);
                const real inner = query < queries ? along_p[head * queries + query] : real(0);
                #pragma unroll
                for (int j = 0; j < COLUMNS; j++)
                    turned[my_column(j)][my_row(i)] = p[i][j] * (dp[i][j] - inner);
            }
            __syncthreads();
            add_product(dk_sum, turned, of_queries, d);  // q came in scaled, and so is dk
            __syncthreads();
        }
    }
    store_panel(dk_sum, dk, first, keys, d);
    store_panel(dv_sum, dv, first, keys, e);
}
