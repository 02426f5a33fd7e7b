// Quantization and back.  q = encode(x / s): int8, E4M3 or E5M2; one scale s for the tensor, each row, or each group.
//
//   quantize_given     the scale is known: read x once, write q once. 2 + 1 bytes an element from bf16
//   quantize_tensor    one scale from the data: the maximum must be known before the first element is written, so x is
//                      read twice: 2 + 2 + 1 bytes
//   quantize_rows      version 0, two reads: the plain form; right for rows of any length and alignment
//                      version 1, one read: a block keeps its row in registers between the maximum and the writing,
//                      2 + 1 bytes. The tracer counts the difference: 5/3 of the sectors of version 1
//   quantize_groups    a scale for each 128 neighbours: 16 lanes of 8 elements make the group, so the maximum takes
//                      four shuffles and no shared memory. 2 + 1 + 4/128 bytes
//   dequantize         back to fp32 or bf16 for any of the three
//
// Wide accesses (8 elements a thread, 16 bytes of bf16) need rows that are a multiple of 8; others take one a thread.
// NaN and infinity: the maximum is taken over the bits, where both come out on top, so the scale shows them;
// quantize_given counts them in `bad`. Python refuses the result (ValueError), no kernel hides it.
#include "formats.cuh"
#include "warp.cuh"

constexpr int WIDE = 8;
using Long = long long;

template <class T, int N> __device__ __forceinline__ void load(const T* p, float (&x)[N]) {
    Pack<T, N> pack;
    if constexpr (sizeof(pack) == 32) {      // fp32: two accesses of 16 bytes
        reinterpret_cast<int4*>(&pack)[0] = reinterpret_cast<const int4*>(p)[0];
        reinterpret_cast<int4*>(&pack)[1] = reinterpret_cast<const int4*>(p)[1];
    } else if constexpr (sizeof(pack) == 16) {
        reinterpret_cast<int4&>(pack) = *reinterpret_cast<const int4*>(p);
    } else pack = *reinterpret_cast<const Pack<T, N>*>(p);
#pragma unroll
    for (int i = 0; i < N; ++i) x[i] = to_float(pack.v[i]);
}

template <class Q, int N> __device__ __forceinline__ void store(Q* p, const float (&x)[N], float inverse) {
    Pack<Q, N> pack;
#pragma unroll
    for (int i = 0; i < N; ++i) pack.v[i] = Format<Q>::encode(x[i] * inverse);
    if constexpr (N == 8) *reinterpret_cast<int2*>(p) = reinterpret_cast<int2&>(pack);
    else *reinterpret_cast<Pack<Q, N>*>(p) = pack;
}

template <int N> __device__ __forceinline__ int max_bits(const float (&x)[N]) {
    int m = 0;
#pragma unroll
    for (int i = 0; i < N; ++i) m = max(m, abs_bits(x[i]));
    return m;
}

// ---- a given scale ----------------------------------------------------------------------------------------------
template <class T, class Q, int N>
__global__ void quantize_given_kernel(const T* __restrict__ x, const float* __restrict__ scale, Q* __restrict__ q,
                                      Long n, int* bad) {
    Long i = ((Long)blockIdx.x * blockDim.x + threadIdx.x) * N;
    if (i >= n) return;
    float v[N], inverse = 1.0f / *scale;
    load<T, N>(x + i, v);
    if (max_bits(v) >= 0x7f800000) atomicOr(bad, 1);      // infinity or NaN; on clean data nobody writes
    store<Q, N>(q + i, v, inverse);
}

// ---- one scale for the tensor: pass one -------------------------------------------------------------------------
template <class T, int N>
__global__ void absmax_kernel(const T* __restrict__ x, Long n, int* __restrict__ result) {
    __shared__ int partial[32];
    int m = 0;
    Long stride = (Long)gridDim.x * blockDim.x * N;
    for (Long i = ((Long)blockIdx.x * blockDim.x + threadIdx.x) * N; i < n; i += stride) {
        float v[N];
        load<T, N>(x + i, v);
        m = max(m, max_bits(v));
    }
    m = block_max(m, partial);
    if (threadIdx.x == 0) atomicMax(result, m);           // one atomic a block
}

// ---- pass two: the scale follows from the maximum ---------------------------------------------------------------
template <class T, class Q, int N>
__global__ void quantize_by_absmax_kernel(const T* __restrict__ x, const int* __restrict__ absmax, Q* __restrict__ q,
                                          float* __restrict__ scale, Long n) {
    float s = scale_of<Q>(*absmax), inverse = 1.0f / s, v[N];
    Long i = ((Long)blockIdx.x * blockDim.x + threadIdx.x) * N;
    if (i == 0) *scale = s;
    if (i >= n) return;
    load<T, N>(x + i, v);
    store<Q, N>(q + i, v, inverse);
}

// ---- a scale for each row ---------------------------------------------------------------------------------------
template <class T, class Q>
__global__ void quantize_rows_twice(const T* __restrict__ x, Q* __restrict__ q, float* __restrict__ scale, int cols) {
    __shared__ int partial[32];
    const T* row = x + (Long)blockIdx.x * cols;
    int m = 0;
    for (int c = threadIdx.x; c < cols; c += blockDim.x) m = max(m, abs_bits(to_float(row[c])));
    float s = scale_of<Q>(block_max(m, partial)), inverse = 1.0f / s;
    if (threadIdx.x == 0) scale[blockIdx.x] = s;
    for (int c = threadIdx.x; c < cols; c += blockDim.x)
        q[(Long)blockIdx.x * cols + c] = Format<Q>::encode(to_float(row[c]) * inverse);
}

template <class T, class Q, int PACKS>      // a thread keeps PACKS * 8 elements: a constant, or they would not be registers
__global__ void quantize_rows_once(const T* __restrict__ x, Q* __restrict__ q, float* __restrict__ scale, int cols) {
    __shared__ int partial[32];
    const T* row = x + (Long)blockIdx.x * cols;
    float v[PACKS][WIDE];
    int m = 0;
#pragma unroll
    for (int p = 0; p < PACKS; ++p) {
        int c = (p * blockDim.x + threadIdx.x) * WIDE;
        if (c < cols) load<T, WIDE>(row + c, v[p]), m = max(m, max_bits(v[p]));
    }
    float s = scale_of<Q>(block_max(m, partial)), inverse = 1.0f / s;
    if (threadIdx.x == 0) scale[blockIdx.x] = s;
#pragma unroll
    for (int p = 0; p < PACKS; ++p) {
        int c = (p * blockDim.x + threadIdx.x) * WIDE;
        if (c < cols) store<Q, WIDE>(q + (Long)blockIdx.x * cols + c, v[p], inverse);
    }
}

// ---- a scale for each group of 128 ------------------------------------------------------------------------------
constexpr int GROUP = 128;

template <class T, class Q, int N>          // 128 / N neighbouring lanes hold a group; the last of a row may be shorter
__global__ void quantize_groups_kernel(const T* __restrict__ x, Q* __restrict__ q, float* __restrict__ scale, Long rows,
                                       int cols) {
    constexpr int LANES = N == WIDE ? GROUP / WIDE : 32, TURNS = GROUP / (LANES * N);
    int groups = (cols + GROUP - 1) / GROUP;
    Long group = ((Long)blockIdx.x * blockDim.x + threadIdx.x) / LANES;
    bool inside = group < rows * groups;                  // nobody returns early: all lanes must reach the shuffles
    int lane = threadIdx.x % LANES, first = (int)(group % groups) * GROUP, m = 0;
    Long at = group / groups * cols;
    float v[TURNS][N];
#pragma unroll
    for (int i = 0; i < TURNS; ++i) {
        int c = first + (i * LANES + lane) * N;
        if (inside && c < cols) load<T, N>(x + at + c, v[i]), m = max(m, max_bits(v[i]));
    }
    float s = scale_of<Q>(lanes_max<LANES>(m)), inverse = 1.0f / s;
    if (inside && lane == 0) scale[group] = s;
#pragma unroll
    for (int i = 0; i < TURNS; ++i) {
        int c = first + (i * LANES + lane) * N;
        if (inside && c < cols) store<Q, N>(q + at + c, v[i], inverse);
    }
}

// ---- back -------------------------------------------------------------------------------------------------------
template <class Q, class T, int N>          // per_row scales to a row of `cols`, one for every `span` columns; 0: one for all
__global__ void dequantize_kernel(const Q* __restrict__ q, const float* __restrict__ scale, T* __restrict__ x, Long n,
                                  int cols, int span, int per_row) {
    Long i = ((Long)blockIdx.x * blockDim.x + threadIdx.x) * N;
    if (i >= n) return;
    float s = scale[per_row ? i / cols * per_row + (int)(i % cols) / span : 0];
    Pack<Q, N> in = *reinterpret_cast<const Pack<Q, N>*>(q + i);
    Pack<T, N> out;
#pragma unroll
    for (int j = 0; j < N; ++j) out.v[j] = from_float<T>(Format<Q>::decode(in.v[j]) * s);
    if constexpr (sizeof(out) == 32) {
        reinterpret_cast<int4*>(x + i)[0] = reinterpret_cast<int4*>(&out)[0];
        reinterpret_cast<int4*>(x + i)[1] = reinterpret_cast<int4*>(&out)[1];
    } else *reinterpret_cast<Pack<T, N>*>(x + i) = out;
}

// ---- launchers: types are numbers at the C boundary (0 fp32, 1 bf16; 0 int8, 1 E4M3, 2 E5M2) ---------------------
template <class F> int with_types(int from, int to, F&& f) {
    if (from == 0 && to == 0) f(float{}, int8_t{});
    else if (from == 0 && to == 1) f(float{}, E4M3{});
    else if (from == 0 && to == 2) f(float{}, E5M2{});
    else if (from == 1 && to == 0) f(__nv_bfloat16{}, int8_t{});
    else if (from == 1 && to == 1) f(__nv_bfloat16{}, E4M3{});
    else if (from == 1 && to == 2) f(__nv_bfloat16{}, E5M2{});
    else return (int)cudaErrorInvalidValue;
    return (int)cudaGetLastError();
}
inline unsigned blocks_for(Long threads) { return (unsigned)((threads + 255) / 256); }

extern "C" int quantize_given(int from, int to, int wide, const void* x, const float* scale, void* q, int* bad, Long n,
                              cudaStream_t stream) {
    return with_types(from, to, [&](auto t, auto u) {
        using T = decltype(t); using Q = decltype(u);
        if (wide) quantize_given_kernel<T, Q, WIDE><<<blocks_for(n / WIDE), 256, 0, stream>>>((const T*)x, scale, (Q*)q, n, bad);
        else quantize_given_kernel<T, Q, 1><<<blocks_for(n), 256, 0, stream>>>((const T*)x, scale, (Q*)q, n, bad);
    });
}

extern "C" int quantize_tensor(int from, int to, int wide, const void* x, int* absmax, void* q, float* scale, Long n,
                               cudaStream_t stream) {       // *absmax must be 0
    return with_types(from, to, [&](auto t, auto u) {
        using T = decltype(t); using Q = decltype(u);
        unsigned blocks = blocks_for(wide ? n / WIDE : n), few = min(blocks, 132u * 8);   // 8 blocks for each SM of an H200
        if (wide) {
            absmax_kernel<T, WIDE><<<few, 256, 0, stream>>>((const T*)x, n, absmax);
            quantize_by_absmax_kernel<T, Q, WIDE><<<blocks, 256, 0, stream>>>((const T*)x, absmax, (Q*)q, scale, n);
        } else {
            absmax_kernel<T, 1><<<few, 256, 0, stream>>>((const T*)x, n, absmax);
            quantize_by_absmax_kernel<T, Q, 1><<<blocks, 256, 0, stream>>>((const T*)x, absmax, (Q*)q, scale, n);
        }
    });
}

extern "C" int quantize_rows(int version, int from, int to, const void* x, void* q, float* scale, int rows, int cols,
                             cudaStream_t stream) {         // version 1: cols % 8 == 0 and cols <= 32768
    return with_types(from, to, [&](auto t, auto u) {
        using T = decltype(t); using Q = decltype(u);
        int threads = cols <= 2048 ? 128 : cols <= 8192 ? 512 : 1024, packs = (cols / WIDE + threads - 1) / threads;
        const T* in = (const T*)x; Q* out = (Q*)q;
        if (version == 0) quantize_rows_twice<T, Q><<<rows, 256, 0, stream>>>(in, out, scale, cols);
        else if (packs <= 1) quantize_rows_once<T, Q, 1><<<rows, threads, 0, stream>>>(in, out, scale, cols);
        else if (packs <= 2) quantize_rows_once<T, Q, 2><<<rows, threads, 0, stream>>>(in, out, scale, cols);
        else quantize_rows_once<T, Q, 4><<<rows, threads, 0, stream>>>(in, out, scale, cols);
    });
}

extern "C" int quantize_groups(int from, int to, int wide, const void* x, void* q, float* scale, Long rows, int cols,
                               cudaStream_t stream) {
    return with_types(from, to, [&](auto t, auto u) {
        using T = decltype(t); using Q = decltype(u);
        Long groups = rows * ((cols + GROUP - 1) / GROUP);
        if (wide) quantize_groups_kernel<T, Q, WIDE><<<blocks_for(groups * 16), 256, 0, stream>>>((const T*)x, (Q*)q, scale, rows, cols);
        else quantize_groups_kernel<T, Q, 1><<<blocks_for(groups * 32), 256, 0, stream>>>((const T*)x, (Q*)q, scale, rows, cols);
    });
}

extern "C" int dequantize(int from, int to, int wide, const void* q, const float* scale, void* x, Long n, int cols,
                          int span, int per_row, cudaStream_t stream) {   // from: the quantized format, to: fp32 or bf16
    return with_types(to, from, [&](auto t, auto u) {
        using T = decltype(t); using Q = decltype(u);
        if (wide) dequantize_kernel<Q, T, WIDE><<<blocks_for(n / WIDE), 256, 0, stream>>>((const Q*)q, scale, (T*)x, n, cols, span, per_row);
        else dequantize_kernel<Q, T, 1><<<blocks_for(n), 256, 0, stream>>>((const Q*)q, scale, (T*)x, n, cols, span, per_row);
    });
}
