// The classic mistakes as running kernels: one source a task, the mistakes as bits of a template argument, so that two
// at once cost nothing more to write. KNOBS = 0 is right. tests/mistakes.py gives each its sentence and hint.
#include <cstdint>
#include <cuda_runtime.h>
#include <type_traits>

#define CASE(K) case K: LAUNCH(K); break;
#define DISPATCH(knobs) switch (knobs) { KNOWN default: return -1; } return (int)cudaGetLastError();

// ---- quantized_add ----------------------------------------------------------------------------------------------
namespace add { enum { NO_BOUNDS = 1, MULTIPLIES = 2, TRUNCATES = 4, ZERO_FIRST = 8, WRAPS = 16 }; }

template <int KNOBS>
__global__ void wrong_add(const int8_t* a, const int8_t* b, int8_t* c, int n, float sa, int za, float sb, int zb,
                          float sc, int zc) {
    using namespace add;
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (!(KNOBS & NO_BOUNDS) && i >= n) return;
    float sum = (a[i] - za) * sa + (b[i] - zb) * sb;
    if (KNOBS & ZERO_FIRST) sum += zc;
    sum = KNOBS & MULTIPLIES ? sum * sc : sum / sc;
    int q = KNOBS & TRUNCATES ? (int)sum : __float2int_rn(sum);
    if (!(KNOBS & ZERO_FIRST)) q += zc;
    c[i] = KNOBS & WRAPS ? (int8_t)q : (int8_t)max(-128, min(127, q));
}
extern "C" int wrong_quantized_add(int knobs, const int8_t* a, const int8_t* b, int8_t* c, int n, float sa, int za,
                                   float sb, int zb, float sc, int zc) {
#define LAUNCH(K) wrong_add<K><<<(n + 127) / 128, 128>>>(a, b, c, n, sa, za, sb, zb, sc, zc)
#define KNOWN CASE(0) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(8) CASE(9) CASE(10) CASE(12) CASE(16) \
    CASE(17) CASE(18) CASE(20) CASE(24)
    DISPATCH(knobs)
#undef LAUNCH
#undef KNOWN
}

// ---- row_absmax -------------------------------------------------------------------------------------------------
namespace absolute { enum { LAST_STEP = 1, NO_ABS = 2, ONE_WARP = 4, NO_BARRIER = 8, DIVERGENT = 16, CHUNKS = 32, NO_BOUNDS = 64 }; }

template <int KNOBS> __global__ void wrong_absmax(const float* x, float* absmax, int cols) {
    using namespace absolute;
    __shared__ float partial[4];
    const float* row = x + (size_t)blockIdx.x * cols;
    float m = 0.0f;
    int chunk = (cols + 127) / 128, first = KNOBS & CHUNKS ? threadIdx.x * chunk : threadIdx.x;
    int step = KNOBS & CHUNKS ? 1 : 128, last = KNOBS & CHUNKS ? min(cols, first + chunk) : KNOBS & NO_BOUNDS ? chunk * 128 : cols;
    for (int c = first; c < last; c += step) m = fmaxf(m, KNOBS & NO_ABS ? row[c] : fabsf(row[c]));
    for (int offset = 16; offset > (KNOBS & LAST_STEP ? 1 : 0); offset /= 2)
        m = fmaxf(m, __shfl_xor_sync(0xffffffff, m, offset));
    if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = m;
    if ((KNOBS & DIVERGENT) && threadIdx.x >= 32) return;
    if (!(KNOBS & NO_BARRIER)) __syncthreads();
    if (threadIdx.x == 0)
        absmax[blockIdx.x] = KNOBS & ONE_WARP ? m : fmaxf(fmaxf(partial[0], partial[1]), fmaxf(partial[2], partial[3]));
}
extern "C" int wrong_row_absmax(int knobs, const float* x, float* absmax, int rows, int cols) {
#define LAUNCH(K) wrong_absmax<K><<<rows, 128>>>(x, absmax, cols)
#define KNOWN CASE(0) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(8) CASE(16) CASE(32) CASE(33) CASE(34) \
    CASE(36) CASE(64) CASE(66)
    DISPATCH(knobs)
#undef LAUNCH
#undef KNOWN
}

// ---- quantize_rows ----------------------------------------------------------------------------------------------
namespace rows_of { enum { MULTIPLIES = 1, TRUNCATES = 2, BY_128 = 4, ZERO_ROW = 8, CHUNKS = 16, NO_BOUNDS = 32 }; }

template <int KNOBS> __global__ void wrong_rows(const float* x, const float* absmax, int8_t* q, float* scale, int cols) {
    using namespace rows_of;
    size_t row = (size_t)blockIdx.x * cols;
    float m = absmax[blockIdx.x], s = m / (KNOBS & BY_128 ? 128.0f : 127.0f);
    if (!(KNOBS & ZERO_ROW) && m == 0.0f) s = 1.0f;
    if (threadIdx.x == 0) scale[blockIdx.x] = s;
    int chunk = (cols + 127) / 128, first = KNOBS & CHUNKS ? threadIdx.x * chunk : threadIdx.x;
    int step = KNOBS & CHUNKS ? 1 : 128, last = KNOBS & CHUNKS ? min(cols, first + chunk) : KNOBS & NO_BOUNDS ? chunk * 128 : cols;
    for (int c = first; c < last; c += step) {
        float y = KNOBS & MULTIPLIES ? x[row + c] * s : x[row + c] / s;
        int v = KNOBS & TRUNCATES ? (int)y : __float2int_rn(y);
        q[row + c] = (int8_t)max(KNOBS & BY_128 ? -128 : -127, min(127, v));
    }
}
extern "C" int wrong_quantize_rows(int knobs, const float* x, const float* absmax, int8_t* q, float* scale, int rows, int cols) {
#define LAUNCH(K) wrong_rows<K><<<rows, 128>>>(x, absmax, q, scale, cols)
#define KNOWN CASE(0) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(8) CASE(10) CASE(12) CASE(16) CASE(17) \
    CASE(18) CASE(20) CASE(32)
    DISPATCH(knobs)
#undef LAUNCH
#undef KNOWN
}

// ---- coalesced_gemm ---------------------------------------------------------------------------------------------
namespace gemm { enum { INT8_SUM = 1, SWAPPED = 2, UNCOALESCED = 4, NO_BOUNDS = 8, B_BY_COLUMNS = 16 }; }

template <int KNOBS> __global__ void wrong_gemm(const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
    using namespace gemm;
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (!(KNOBS & NO_BOUNDS) && i >= m * n) return;
    int row = KNOBS & UNCOALESCED ? i % m : i / n, col = KNOBS & UNCOALESCED ? i / m : i % n;
    std::conditional_t<(KNOBS & INT8_SUM) != 0, int8_t, int> sum = 0;
    for (int j = 0; j < k; ++j)
        sum += a[KNOBS & SWAPPED ? row * n + j : row * k + j] *
               b[KNOBS & B_BY_COLUMNS ? col * k + j : KNOBS & SWAPPED ? j * k + col : j * n + col];
    c[row * n + col] = sum;
}
extern "C" int wrong_coalesced_gemm(int knobs, const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
#define LAUNCH(K) wrong_gemm<K><<<(m * n + 255) / 256, 256>>>(a, b, c, m, n, k)
#define KNOWN CASE(0) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(8) CASE(9) CASE(12) CASE(16) CASE(17)
    DISPATCH(knobs)
#undef LAUNCH
#undef KNOWN
}

// ---- tiled_gemm -------------------------------------------------------------------------------------------------
namespace tiles {
enum { NO_FIRST = 1, NO_SECOND = 2, EARLY_RETURN = 4, INT8_SUM = 8, SWAPPED = 16, NO_TAIL = 32, UNTILED = 64, NO_BOUNDS = 128 };
}

template <int KNOBS> __global__ void wrong_tiles(const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
    using namespace tiles;
    constexpr int TILE = 16;
    __shared__ int8_t a_tile[TILE][TILE], b_tile[TILE][TILE];
    int x = threadIdx.x, y = threadIdx.y, row = blockIdx.y * TILE + y, col = blockIdx.x * TILE + x;
    if ((KNOBS & EARLY_RETURN) && (row >= m || col >= n)) return;
    std::conditional_t<(KNOBS & INT8_SUM) != 0, int8_t, int> sum = 0;
    if constexpr ((KNOBS & UNTILED) != 0) {
        if (row < m && col < n)
            for (int j = 0; j < k; ++j) sum += a[row * k + j] * b[j * n + col];
    } else {
        for (int k0 = 0; k0 < k; k0 += TILE) {
            int ka = k0 + x, kb = k0 + y;
            bool tail_a = KNOBS & NO_TAIL || ka < k, tail_b = KNOBS & NO_TAIL || kb < k;
            a_tile[y][x] = row < m && tail_a ? a[KNOBS & SWAPPED ? row * n + ka : row * k + ka] : 0;
            b_tile[y][x] = col < n && tail_b ? b[KNOBS & SWAPPED ? kb * k + col : kb * n + col] : 0;
            if (!(KNOBS & NO_FIRST)) __syncthreads();
            for (int j = 0; j < TILE; ++j) sum += a_tile[y][j] * b_tile[j][x];
            if (!(KNOBS & NO_SECOND)) __syncthreads();
        }
    }
    if (KNOBS & NO_BOUNDS || (row < m && col < n)) c[row * n + col] = sum;
}
extern "C" int wrong_tiled_gemm(int knobs, const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
#define LAUNCH(K) wrong_tiles<K><<<dim3((n + 15) / 16, (m + 15) / 16), dim3(16, 16)>>>(a, b, c, m, n, k)
#define KNOWN CASE(0) CASE(1) CASE(2) CASE(4) CASE(8) CASE(16) CASE(24) CASE(32) CASE(40) CASE(64) CASE(72) CASE(128)
    DISPATCH(knobs)
#undef LAUNCH
#undef KNOWN
}

// ---- dp4a_dot ---------------------------------------------------------------------------------------------------
namespace dot { enum { LAST_STEP = 1, INT8_SUM = 2, BYTES = 4, UNSIGNED = 8, CHUNKS = 16, NO_REDUCTION = 32 }; }

template <int KNOBS> __global__ void wrong_dot(const int* a, const int* b, int* dots, int words) {
    using namespace dot;
    const int *a_row = a + (size_t)blockIdx.x * words, *b_row = b + (size_t)blockIdx.x * words;
    std::conditional_t<(KNOBS & INT8_SUM) != 0, int8_t, int> sum = 0;
    int chunk = (words + 31) / 32, first = KNOBS & CHUNKS ? threadIdx.x * chunk : threadIdx.x, step = KNOBS & CHUNKS ? 1 : 32;
    int last = KNOBS & CHUNKS ? min(words, first + chunk) : KNOBS & BYTES ? words * 4 : words;
    for (int w = first; w < last; w += step)
        sum = KNOBS & UNSIGNED ? (int)__dp4a((unsigned)a_row[w], (unsigned)b_row[w], (unsigned)sum)
                               : __dp4a(a_row[w], b_row[w], (int)sum);
    for (int offset = KNOBS & NO_REDUCTION ? 0 : 16; offset > (KNOBS & LAST_STEP ? 1 : 0); offset /= 2)
        sum += __shfl_xor_sync(0xffffffff, (int)sum, offset);
    if (threadIdx.x == 0) dots[blockIdx.x] = sum;
}
extern "C" int wrong_dp4a_dot(int knobs, const int* a, const int* b, int* dots, int rows, int words) {
#define LAUNCH(K) wrong_dot<K><<<rows, 32>>>(a, b, dots, words)
#define KNOWN CASE(0) CASE(1) CASE(2) CASE(3) CASE(4) CASE(8) CASE(9) CASE(16) CASE(17) CASE(18) CASE(24) CASE(32) CASE(40)
    DISPATCH(knobs)
#undef LAUNCH
#undef KNOWN
}

// ---- unpack_int4 ------------------------------------------------------------------------------------------------
namespace nibbles { enum { HIGH_FIRST = 1, NO_SIGN = 2, OFFSET = 4, NO_BOUNDS = 8, ODD = 16 }; }

template <int KNOBS> __global__ void wrong_nibbles(const uint8_t* packed, int8_t* out, int n) {
    using namespace nibbles;
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (!(KNOBS & NO_BOUNDS) && 2 * i >= n) return;
    int low = packed[i] & 15, high = packed[i] >> 4;
    auto value = [](int v) { return (int8_t)(KNOBS & NO_SIGN ? v : KNOBS & OFFSET ? v - 8 : (v ^ 8) - 8); };
    out[2 * i] = value(KNOBS & HIGH_FIRST ? high : low);
    if (KNOBS & (NO_BOUNDS | ODD) || 2 * i + 1 < n) out[2 * i + 1] = value(KNOBS & HIGH_FIRST ? low : high);
}
extern "C" int wrong_unpack_int4(int knobs, const uint8_t* packed, int8_t* out, int n) {
#define LAUNCH(K) wrong_nibbles<K><<<((n + 1) / 2 + 127) / 128, 128>>>(packed, out, n)
#define KNOWN CASE(0) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(8) CASE(9) CASE(10) CASE(12) CASE(16) CASE(17) CASE(18) CASE(20)
    DISPATCH(knobs)
#undef LAUNCH
#undef KNOWN
}
