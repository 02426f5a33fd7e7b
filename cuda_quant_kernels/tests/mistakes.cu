// The classic mistakes as running kernels: one source a task, the mistakes as bits of a template argument, so that two
// at once cost nothing more to write. KNOBS = 0 is right. tests/mistakes.py gives each its sentence and hint.
#include <cfloat>
#include <cstdint>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <type_traits>

#define CASE(K) case K: LAUNCH(K); break;
#define DISPATCH(knobs) switch (knobs) { KNOWN default: return -1; } return (int)cudaGetLastError();

// ---- quantized_add ----------------------------------------------------------------------------------------------
namespace add {
enum {
    NO_BOUNDS = 1, MULTIPLIES = 2, TRUNCATES = 4, ZERO_FIRST = 8, WRAPS = 16, HALF_UP = 32, HALF_AWAY = 64, AT_127 = 128,
    NO_ZERO = 256, ADDS_ZEROS = 512, CLAMPS_FIRST = 1024, ONE_BLOCK = 2048, ROUNDS_LAST = 4096, RECIPROCAL = 8192,
    OPPOSITE = 16384, INT8_DIFFERENCE = 32768, SCATTERED = 65536, TERMS = 131072, INT16_STEPS = 262144, HALF_SCALES = 524288,
    CLAMPS_TWICE = 1048576
};
}

__device__ float half_precision(float x) { return __half2float(__float2half(x)); }

template <int KNOBS>
__global__ void wrong_add(const int8_t* a, const int8_t* b, int8_t* c, int n, float sa, int za, float sb, int zb,
                          float sc, int zc) {
    using namespace add;
    int i = KNOBS & SCATTERED ? threadIdx.x * gridDim.x + blockIdx.x : (KNOBS & ONE_BLOCK ? 0 : blockIdx.x * blockDim.x) + threadIdx.x;
    int sign = KNOBS & (ADDS_ZEROS | OPPOSITE) ? -1 : 1;
    if (!(KNOBS & NO_BOUNDS) && i >= n) return;
    int from_a = a[i] - sign * za, from_b = b[i] - sign * zb;
    if (KNOBS & INT8_DIFFERENCE) from_a = (int8_t)from_a, from_b = (int8_t)from_b;
    if (KNOBS & HALF_SCALES) sa = half_precision(sa), sb = half_precision(sb), sc = half_precision(sc);
    float sum = from_a * sa + from_b * sb;
    if (KNOBS & OPPOSITE) zc = -zc;
    if (KNOBS & ZERO_FIRST) sum += zc;
    sum = KNOBS & TERMS ? from_a * sa / sc + from_b * sb / sc : KNOBS & MULTIPLIES ? sum * sc : KNOBS & RECIPROCAL ? sum * (1.0f / sc) : sum / sc;
    if (KNOBS & ROUNDS_LAST) sum += zc;
    int q = KNOBS & TRUNCATES ? (int)sum : KNOBS & HALF_UP ? (int)floorf(sum + 0.5f)
          : KNOBS & HALF_AWAY ? (int)roundf(sum) : __float2int_rn(sum);
    if (KNOBS & INT16_STEPS) q = (int16_t)q;
    if (KNOBS & (CLAMPS_FIRST | CLAMPS_TWICE)) q = max(-128, min(127, q));
    if (!(KNOBS & (ZERO_FIRST | NO_ZERO | ROUNDS_LAST))) q += zc;
    c[i] = KNOBS & (WRAPS | CLAMPS_FIRST) ? (int8_t)q : (int8_t)max(KNOBS & AT_127 ? -127 : -128, min(127, q));
}
extern "C" int wrong_quantized_add(int knobs, const int8_t* a, const int8_t* b, int8_t* c, int n, float sa, int za,
                                   float sb, int zb, float sc, int zc) {
#define LAUNCH(K) wrong_add<K><<<(n + 127) / 128, 128>>>(a, b, c, n, sa, za, sb, zb, sc, zc)
#define KNOWN CASE(0) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(8) CASE(9) CASE(10) CASE(12) CASE(16) \
    CASE(17) CASE(18) CASE(20) CASE(24) CASE(32) CASE(33) CASE(34) CASE(40) CASE(64) CASE(65) CASE(66) CASE(72) \
    CASE(128) CASE(132) CASE(256) CASE(260) CASE(512) CASE(516) CASE(1024) CASE(2048) CASE(4096) CASE(8192) CASE(16384) CASE(32768) \
    CASE(65536) CASE(131072) CASE(262144) CASE(524288) CASE(1048576)
    DISPATCH(knobs)
#undef LAUNCH
#undef KNOWN
}

// ---- row_absmax -------------------------------------------------------------------------------------------------
namespace absolute {
enum {
    LAST_STEP = 1, NO_ABS = 2, ONE_WARP = 4, NO_BARRIER = 8, DIVERGENT = 16, CHUNKS = 32, NO_BOUNDS = 64, FIRST_128 = 128,
    EVERY_WARP = 256, SUMS = 512, FIRST_STEP = 1024, ABS_LAST = 2048, LEAVES = 4096,
    ROWS_OF_128 = 8192, THREE_WARPS = 16384, ABOVE_ZERO = 32768, SQUARES = 65536, LAST_LANE = 131072
};
}

template <int KNOBS> __global__ void wrong_absmax(const float* x, float* absmax, int cols) {
    using namespace absolute;
    __shared__ float partial[4];
    const float* row = x + (size_t)blockIdx.x * (KNOBS & ROWS_OF_128 ? 128 : cols);
    if (KNOBS & LEAVES && threadIdx.x >= cols) return;
    float m = KNOBS & ABS_LAST ? row[0] : KNOBS & ABOVE_ZERO ? FLT_MIN : 0.0f;
    int chunk = (cols + 127) / 128, first = KNOBS & CHUNKS ? threadIdx.x * chunk : threadIdx.x;
    int step = KNOBS & CHUNKS ? 1 : KNOBS & EVERY_WARP ? 32 : 128;
    int last = KNOBS & CHUNKS ? min(cols, first + chunk) : KNOBS & NO_BOUNDS ? chunk * 128 : KNOBS & FIRST_128 ? min(cols, 128) : cols;
    for (int c = first; c < last; c += step) m = fmaxf(m, KNOBS & (NO_ABS | ABS_LAST) ? row[c] : KNOBS & SQUARES ? row[c] * row[c] : fabsf(row[c]));
    for (int offset = KNOBS & FIRST_STEP ? 8 : 16; offset > (KNOBS & LAST_STEP ? 1 : 0); offset /= 2)
        m = fmaxf(m, KNOBS & LAST_LANE ? __shfl_down_sync(0xffffffff, m, offset) : __shfl_xor_sync(0xffffffff, m, offset));
    if (threadIdx.x % 32 == (KNOBS & LAST_LANE ? 31 : 0)) partial[threadIdx.x / 32] = m;
    if ((KNOBS & DIVERGENT) && threadIdx.x >= 32) return;
    if (!(KNOBS & NO_BARRIER)) __syncthreads();
    if (threadIdx.x) return;
    float all = fmaxf(fmaxf(partial[0], partial[1]), KNOBS & THREE_WARPS ? partial[2] : fmaxf(partial[2], partial[3]));
    if (KNOBS & SUMS) all = partial[0] + partial[1] + partial[2] + partial[3];
    absmax[blockIdx.x] = KNOBS & ONE_WARP ? m : KNOBS & ABS_LAST ? fabsf(all) : KNOBS & SQUARES ? sqrtf(all) : all;
}
extern "C" int wrong_row_absmax(int knobs, const float* x, float* absmax, int rows, int cols) {
#define LAUNCH(K) wrong_absmax<K><<<rows, 128>>>(x, absmax, cols)
#define KNOWN CASE(0) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(8) CASE(16) CASE(32) CASE(33) CASE(34) \
    CASE(36) CASE(64) CASE(66) CASE(128) CASE(129) CASE(130) CASE(132) CASE(256) CASE(258) CASE(512) CASE(1024) CASE(2048) CASE(4096) \
    CASE(8192) CASE(16384) CASE(32768) CASE(65536) CASE(131072)
    DISPATCH(knobs)
#undef LAUNCH
#undef KNOWN
}

// ---- quantize_rows ----------------------------------------------------------------------------------------------
namespace rows_of {
enum {
    MULTIPLIES = 1, TRUNCATES = 2, BY_128 = 4, ZERO_ROW = 8, CHUNKS = 16, NO_BOUNDS = 32, INVERTED = 64, BY_255 = 128,
    ALL_WRITE = 256, WRAPS = 512, SMALL = 1024, RECIPROCAL = 2048, AT_128 = 4096, OVER_128 = 8192, HALF_AWAY = 16384,
    FIRST_ABSMAX = 32768, ZERO_CODES = 65536, BY_ABSMAX = 131072, DOUBLE = 262144, INT16_STEPS = 524288, OWN_MAXIMUM = 1048576,
    HALF_UP = 2097152, READS_BACK = 4194304, RATIO = 8388608
};
}

template <int KNOBS> __global__ void wrong_rows(const float* x, const float* absmax, int8_t* q, float* scale, int cols) {
    using namespace rows_of;
    size_t row = (size_t)blockIdx.x * cols;
    float m = absmax[KNOBS & FIRST_ABSMAX ? 0 : blockIdx.x], largest = KNOBS & (BY_128 | OVER_128) ? 128.0f : KNOBS & BY_255 ? 255.0f : 127.0f;
    if (KNOBS & OWN_MAXIMUM && m > 0.0f) {
        float own = 0.0f;
        for (int c = 0; c < cols; ++c) own = fmaxf(own, fabsf(x[row + c]));
        m = fminf(m, own);
    }
    float s = KNOBS & INVERTED ? largest / m : m / largest;
    if (KNOBS & SMALL ? m < 1e-6f : !(KNOBS & ZERO_ROW) && m == 0.0f) s = 1.0f;
    if (threadIdx.x == 0 || KNOBS & ALL_WRITE) scale[blockIdx.x] = s;
    if (KNOBS & READS_BACK) s = scale[blockIdx.x];
    int chunk = (cols + 127) / 128, first = KNOBS & CHUNKS ? threadIdx.x * chunk : threadIdx.x;
    int step = KNOBS & CHUNKS ? 1 : 128, last = KNOBS & CHUNKS ? min(cols, first + chunk) : KNOBS & NO_BOUNDS ? chunk * 128 : cols;
    for (int c = first; c < last; c += step) {
        float y = KNOBS & (MULTIPLIES | INVERTED) ? x[row + c] * s : KNOBS & RECIPROCAL ? x[row + c] * (1.0f / s) : x[row + c] / s;
        if (KNOBS & BY_ABSMAX && m > 0.0f) y = x[row + c] * 127.0f / m;
        if (KNOBS & RATIO) y = x[row + c] / (m > 0.0f ? m : 127.0f) * 127.0f;
        if (KNOBS & ZERO_CODES && m == 0.0f) y = 0.0f;
        double steps = (double)x[row + c] / s;
        int v = KNOBS & TRUNCATES ? (int)y : KNOBS & HALF_AWAY ? (int)roundf(y) : KNOBS & HALF_UP ? (int)floorf(y + 0.5f)
              : KNOBS & DOUBLE ? __double2int_rn(steps) : __float2int_rn(y);
        if (KNOBS & INT16_STEPS) v = (int16_t)v;
        q[row + c] = KNOBS & WRAPS ? (int8_t)v : (int8_t)max(KNOBS & (BY_128 | AT_128) ? -128 : -127, min(127, v));
    }
}
extern "C" int wrong_quantize_rows(int knobs, const float* x, const float* absmax, int8_t* q, float* scale, int rows, int cols) {
#define LAUNCH(K) wrong_rows<K><<<rows, 128>>>(x, absmax, q, scale, cols)
#define KNOWN CASE(0) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(8) CASE(10) CASE(12) CASE(16) CASE(17) \
    CASE(18) CASE(20) CASE(32) CASE(64) CASE(66) CASE(128) CASE(130) CASE(256) CASE(512) CASE(1024) CASE(2048) CASE(4096) CASE(8192) CASE(16384) \
    CASE(32768) CASE(65536) CASE(131072) CASE(262144) CASE(524288) CASE(1048576) CASE(2097152) CASE(4194304) CASE(8388608)
    DISPATCH(knobs)
#undef LAUNCH
#undef KNOWN
}

// ---- coalesced_gemm ---------------------------------------------------------------------------------------------
namespace gemm {
enum {
    INT8_SUM = 1, SWAPPED = 2, UNCOALESCED = 4, NO_BOUNDS = 8, B_BY_COLUMNS = 16, INT16_SUM = 32, INT8_PRODUCT = 64,
    ROWS_OF_M = 128, A_BY_COLUMNS = 256, DIVIDES_BY_M = 512, FLOAT_SUM = 1024, IN_GLOBAL = 2048,
    UNSET = 4096, ROWS_OF_K = 8192, A_OF_N = 16384, BY_FOURS = 32768
};
}

template <int KNOBS> __global__ void wrong_gemm(const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
    using namespace gemm;
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (!(KNOBS & NO_BOUNDS) && i >= m * n) return;
    int width = KNOBS & DIVIDES_BY_M ? m : n;
    int row = KNOBS & UNCOALESCED ? i % m : i / width, col = KNOBS & UNCOALESCED ? i / m : i % width;
    using Whole = std::conditional_t<(KNOBS & INT8_SUM) != 0, int8_t, std::conditional_t<(KNOBS & INT16_SUM) != 0, int16_t, int>>;
    std::conditional_t<(KNOBS & FLOAT_SUM) != 0, float, Whole> sum = 0;
    if (KNOBS & IN_GLOBAL) c[row * n + col] = 0;
    for (int j = 0; j < (KNOBS & BY_FOURS ? k / 4 * 4 : k); ++j) {
        int product = a[KNOBS & A_BY_COLUMNS ? j * m + row : KNOBS & (SWAPPED | A_OF_N) ? row * n + j : row * k + j] *
                      b[KNOBS & B_BY_COLUMNS ? col * k + j : KNOBS & (SWAPPED | ROWS_OF_K) ? j * k + col : j * (KNOBS & ROWS_OF_M ? m : n) + col];
        if (KNOBS & (IN_GLOBAL | UNSET)) c[row * n + col] += product;
        else sum += KNOBS & INT8_PRODUCT ? (int8_t)product : product;
    }
    if (!(KNOBS & (IN_GLOBAL | UNSET))) c[row * n + col] = sum;
}
extern "C" int wrong_coalesced_gemm(int knobs, const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
#define LAUNCH(K) wrong_gemm<K><<<(m * n + 255) / 256, 256>>>(a, b, c, m, n, k)
#define KNOWN CASE(0) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(8) CASE(9) CASE(12) CASE(16) CASE(17) \
    CASE(32) CASE(34) CASE(36) CASE(64) CASE(66) CASE(68) CASE(128) CASE(129) CASE(256) CASE(257) CASE(512) CASE(1024) CASE(2048) \
    CASE(4096) CASE(8192) CASE(16384) CASE(32768)
    DISPATCH(knobs)
#undef LAUNCH
#undef KNOWN
}

// ---- tiled_gemm -------------------------------------------------------------------------------------------------
namespace tiles {
enum {
    NO_FIRST = 1, NO_SECOND = 2, EARLY_RETURN = 4, INT8_SUM = 8, SWAPPED = 16, NO_TAIL = 32, UNTILED = 64, NO_BOUNDS = 128,
    ROWS_BY_ROWS = 256, LAST_TILE = 512, WHOLE_TILES = 1024, A_OF_N = 2048, REPEATS = 4096, EXCHANGED = 8192, FLOAT_SUM = 16384,
    INT16_STEP = 32768, INT16_SUM = 65536, UNSET = 131072, STALE = 262144, ROWS_OF_K = 524288
};
}

template <int KNOBS> __global__ void wrong_tiles(const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
    using namespace tiles;
    constexpr int TILE = 16;
    __shared__ int8_t a_tile[TILE][TILE], b_tile[TILE][TILE];
    int x = threadIdx.x, y = threadIdx.y;
    int row = (KNOBS & EXCHANGED ? blockIdx.x : blockIdx.y) * TILE + y, col = (KNOBS & EXCHANGED ? blockIdx.y : blockIdx.x) * TILE + x;
    if ((KNOBS & EARLY_RETURN) && (row >= m || col >= n)) return;
    using Whole = std::conditional_t<(KNOBS & INT8_SUM) != 0, int8_t, std::conditional_t<(KNOBS & INT16_SUM) != 0, int16_t, int>>;
    std::conditional_t<(KNOBS & FLOAT_SUM) != 0, float, Whole> sum = 0;
    if (KNOBS & STALE) a_tile[y][x] = b_tile[y][x] = 0;
    if constexpr ((KNOBS & UNTILED) != 0) {
        if (row < m && col < n)
            for (int j = 0; j < k; ++j) sum += a[row * k + j] * b[j * n + col];
    } else {
        for (int k0 = 0; k0 < (KNOBS & WHOLE_TILES ? k / TILE * TILE : k); k0 += TILE) {
            if (KNOBS & LAST_TILE) sum = 0;
            int ka = k0 + x, kb = k0 + y;
            bool tail_a = KNOBS & NO_TAIL || ka < k, tail_b = KNOBS & NO_TAIL || kb < k;
            if (KNOBS & REPEATS) {
                a_tile[y][x] = a[min(row, m - 1) * k + min(ka, k - 1)];
                b_tile[y][x] = b[min(kb, k - 1) * n + min(col, n - 1)];
            } else if (KNOBS & STALE) {
                if (row < m && ka < k) a_tile[y][x] = a[row * k + ka];
                if (col < n && kb < k) b_tile[y][x] = b[kb * n + col];
            } else {
                a_tile[y][x] = row < m && tail_a ? a[KNOBS & (SWAPPED | A_OF_N) ? row * n + ka : row * k + ka] : 0;
                b_tile[y][x] = col < n && tail_b ? b[KNOBS & (SWAPPED | ROWS_OF_K) ? kb * k + col : kb * n + col] : 0;
            }
            if (!(KNOBS & NO_FIRST)) __syncthreads();
            std::conditional_t<(KNOBS & INT16_STEP) != 0, int16_t, decltype(sum)> step = KNOBS & INT16_STEP ? 0 : sum;
            for (int j = 0; j < TILE; ++j) step += a_tile[y][j] * (KNOBS & ROWS_BY_ROWS ? b_tile[x][j] : b_tile[j][x]);
            sum = KNOBS & INT16_STEP ? sum + step : step;
            if (!(KNOBS & NO_SECOND)) __syncthreads();
        }
    }
    if (KNOBS & NO_BOUNDS || (row < m && col < n)) c[row * n + col] = KNOBS & UNSET ? c[row * n + col] + sum : sum;
}
extern "C" int wrong_tiled_gemm(int knobs, const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
#define LAUNCH(K) wrong_tiles<K><<<dim3((n + 15) / 16, (m + 15) / 16), dim3(16, 16)>>>(a, b, c, m, n, k)
#define KNOWN CASE(0) CASE(1) CASE(2) CASE(4) CASE(8) CASE(16) CASE(24) CASE(32) CASE(40) CASE(10) CASE(64) CASE(72) CASE(128) CASE(258) \
    CASE(256) CASE(264) CASE(512) CASE(520) CASE(1024) CASE(1032) CASE(1040) CASE(2048) CASE(4096) \
    CASE(8192) CASE(16384) CASE(32768) CASE(65536) CASE(131072) CASE(262144) CASE(524288)
    DISPATCH(knobs)
#undef LAUNCH
#undef KNOWN
}

// ---- dp4a_dot ---------------------------------------------------------------------------------------------------
namespace dot {
enum {
    LAST_STEP = 1, INT8_SUM = 2, BYTES = 4, UNSIGNED = 8, CHUNKS = 16, NO_REDUCTION = 32, INT8_LANES = 64, INT16_LANES = 128,
    REPLACES = 256, ALL_ADD_ALL = 512, ALL_READ_ALL = 1024, DROPS = 2048, FIRST_STEP = 4096, QUARTER = 8192, FLOAT_SUM = 16384,
    OVERWRITES = 32768, UNSET = 65536, LAST_LANE = 131072
};
}

template <int KNOBS> __global__ void wrong_dot(const int* a, const int* b, int* dots, int words) {
    using namespace dot;
    const int *a_row = a + (size_t)blockIdx.x * words, *b_row = b + (size_t)blockIdx.x * words;
    constexpr bool ALL = KNOBS & (ALL_ADD_ALL | ALL_READ_ALL);
    using Sum = std::conditional_t<(KNOBS & INT8_SUM) != 0, int8_t, std::conditional_t<(KNOBS & FLOAT_SUM) != 0, float, int>>;
    Sum sum = 0;
    int chunk = KNOBS & DROPS ? words / 32 : (words + 31) / 32, first = ALL ? 0 : KNOBS & CHUNKS ? threadIdx.x * chunk : threadIdx.x;
    int step = ALL || KNOBS & CHUNKS ? 1 : 32;
    int last = KNOBS & CHUNKS ? min(words, first + chunk) : KNOBS & BYTES ? words * 4 : KNOBS & DROPS ? words / 32 * 32 : KNOBS & QUARTER ? words / 4 : words;
    for (int w = first; w < last; w += step) {
        sum = KNOBS & UNSIGNED ? (Sum)__dp4a((unsigned)a_row[w], (unsigned)b_row[w], (unsigned)sum)
             : KNOBS & FLOAT_SUM ? (Sum)(sum + __dp4a(a_row[w], b_row[w], 0)) : (Sum)__dp4a(a_row[w], b_row[w], KNOBS & OVERWRITES ? 0 : (int)sum);
        if (KNOBS & INT8_LANES) sum = (int8_t)sum;
        if (KNOBS & INT16_LANES) sum = (int16_t)sum;
    }
    for (int offset = KNOBS & (NO_REDUCTION | ALL_READ_ALL) ? 0 : KNOBS & FIRST_STEP ? 8 : 16; offset > (KNOBS & LAST_STEP ? 1 : 0); offset /= 2) {
        std::conditional_t<(KNOBS & FLOAT_SUM) != 0, float, int> mine = sum;
        auto other = KNOBS & LAST_LANE ? __shfl_down_sync(0xffffffff, mine, offset) : __shfl_xor_sync(0xffffffff, mine, offset);
        sum = (KNOBS & REPLACES ? 0 : sum) + other;
    }
    if (threadIdx.x != (KNOBS & LAST_LANE ? 31 : 0)) return;
    dots[blockIdx.x] = KNOBS & UNSET ? dots[blockIdx.x] + (int)sum : (int)sum;
}
extern "C" int wrong_dp4a_dot(int knobs, const int* a, const int* b, int* dots, int rows, int words) {
#define LAUNCH(K) wrong_dot<K><<<rows, 32>>>(a, b, dots, words)
#define KNOWN CASE(0) CASE(1) CASE(2) CASE(3) CASE(4) CASE(8) CASE(9) CASE(16) CASE(17) CASE(18) CASE(24) CASE(32) CASE(40) \
    CASE(64) CASE(65) CASE(128) CASE(129) CASE(136) CASE(256) CASE(264) CASE(512) CASE(513) CASE(520) CASE(1024) CASE(2048) CASE(2064) CASE(4096) CASE(8192) CASE(16384) \
    CASE(32768) CASE(65536) CASE(131072)
    DISPATCH(knobs)
#undef LAUNCH
#undef KNOWN
}

// ---- unpack_int4 ------------------------------------------------------------------------------------------------
namespace nibbles {
enum { HIGH_FIRST = 1, NO_SIGN = 2, OFFSET = 4, NO_BOUNDS = 8, ODD = 16, ABOVE_8 = 32, HIGH_SIGN = 64, HALVES = 128, PAIRS = 256, MAGNITUDE = 512, LOW_SIGN = 1024, SIGNED_BYTE = 2048, SCATTERED = 4096,
       EACH_VALUE = 8192, INT_SHIFT = 16384 };
}

template <int KNOBS> __global__ void wrong_nibbles(const uint8_t* packed, int8_t* out, int n) {
    using namespace nibbles;
    int i = KNOBS & SCATTERED ? threadIdx.x * gridDim.x + blockIdx.x : blockIdx.x * blockDim.x + threadIdx.x;
    if (KNOBS & EACH_VALUE) {
        if (i < n) out[i] = (int8_t)(((i % 2 ? packed[i / 2] >> 4 : packed[i / 2] & 15) ^ 8) - 8);
        return;
    }
    if (!(KNOBS & NO_BOUNDS) && 2 * i + (KNOBS & PAIRS ? 1 : 0) >= n) return;
    int low = packed[i] & 15, high = packed[i] >> 4;
    auto value = [](int v, bool sign) {
        return (int8_t)(!sign ? v : KNOBS & OFFSET ? v - 8 : KNOBS & ABOVE_8 ? (v > 8 ? v - 16 : v) : KNOBS & MAGNITUDE ? (v > 7 ? 8 - v : v) : (v ^ 8) - 8);
    };
    int8_t one = value(low, !(KNOBS & (NO_SIGN | HIGH_SIGN))), two = value(high, !(KNOBS & (NO_SIGN | LOW_SIGN)));
    if (KNOBS & SIGNED_BYTE) one = (int8_t)packed[i] % 16, two = (int8_t)packed[i] / 16;
    if (KNOBS & INT_SHIFT) one = (int8_t)packed[i];
    out[KNOBS & HALVES ? i : 2 * i] = KNOBS & HIGH_FIRST ? two : one;
    if (KNOBS & (NO_BOUNDS | ODD) || 2 * i + 1 < n) out[KNOBS & HALVES ? (n + 1) / 2 + i : 2 * i + 1] = KNOBS & HIGH_FIRST ? one : two;
}
extern "C" int wrong_unpack_int4(int knobs, const uint8_t* packed, int8_t* out, int n) {
#define LAUNCH(K) wrong_nibbles<K><<<((n + 1) / 2 + 127) / 128, 128>>>(packed, out, n)
#define KNOWN CASE(0) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(8) CASE(9) CASE(10) CASE(12) CASE(16) CASE(17) CASE(18) CASE(20) \
    CASE(32) CASE(33) CASE(64) CASE(65) CASE(128) CASE(130) CASE(132) CASE(256) CASE(512) CASE(1024) CASE(2048) CASE(4096) CASE(8192) CASE(16384)
    DISPATCH(knobs)
#undef LAUNCH
#undef KNOWN
}
