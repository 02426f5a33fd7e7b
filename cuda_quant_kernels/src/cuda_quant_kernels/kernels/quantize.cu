// Quantization:  q = encode(x / scale), to int8, E4M3 or E5M2.
//
//   quantize_static    the scale is known: read x once, write q once. 2 + 1 bytes an element from bf16
//   quantize_tensor    one scale for the tensor. The maximum must be known before the first element is written, so x
//                      is read twice: 2 + 2 + 1 bytes
//   quantize_rows      version 0, two_pass: the plain form, for rows of any length and alignment
//                      version 1, one_pass: a block keeps its row in registers between the maximum and the store,
//                      2 + 1 bytes. The tracer counts 5/3 of its sectors for version 0
//
// The vectorized forms (8 elements a thread) need rows that are a multiple of 8.
// NaN and infinity: the maximum is taken over the bits, where both are largest, so the scale shows them.
// quantize_static counts them in `nonfinite`. Python raises a ValueError.
#include "dispatch.cuh"
#include "vectorized.cuh"

using Long = long long;

// ---- static: a known scale --------------------------------------------------------------------------------------
template <class T, class Q, int N>
__global__ void quantize_static_kernel(const T* __restrict__ x, const float* __restrict__ scale, Q* __restrict__ q,
                                       Long n, int* nonfinite) {
    Long i = ((Long)blockIdx.x * blockDim.x + threadIdx.x) * N;
    if (i >= n) return;
    float v[N], inverse = 1.0f / *scale;
    load<T, N>(x + i, v);
    if (absmax_bits(v) >= 0x7f800000) atomicOr(nonfinite, 1);      // infinity or NaN; nobody writes on finite data
    quantize_and_store<Q, N>(q + i, v, inverse);
}

// ---- one scale for the tensor, first pass: the maximum ----------------------------------------------------------
template <class T, int N>
__global__ void absmax_kernel(const T* __restrict__ x, Long n, int* __restrict__ result) {
    __shared__ int partial[32];
    int m = 0;
    Long stride = (Long)gridDim.x * blockDim.x * N;
    for (Long i = ((Long)blockIdx.x * blockDim.x + threadIdx.x) * N; i < n; i += stride) {
        float v[N];
        load<T, N>(x + i, v);
        m = max(m, absmax_bits(v));
    }
    m = block_max(m, partial);
    if (threadIdx.x == 0) atomicMax(result, m);           // one atomic a block
}

// ---- second pass: the scale follows from the maximum ------------------------------------------------------------
template <class T, class Q, int N>
__global__ void quantize_by_absmax_kernel(const T* __restrict__ x, const int* __restrict__ absmax, Q* __restrict__ q,
                                          float* __restrict__ scale, Long n) {
    float s = scale_from_absmax<Q>(*absmax), inverse = 1.0f / s, v[N];
    Long i = ((Long)blockIdx.x * blockDim.x + threadIdx.x) * N;
    if (i == 0) *scale = s;
    if (i >= n) return;
    load<T, N>(x + i, v);
    quantize_and_store<Q, N>(q + i, v, inverse);
}

// ---- a scale for each row, two passes over x --------------------------------------------------------------------
template <class T, class Q>
__global__ void quantize_rows_two_pass(const T* __restrict__ x, Q* __restrict__ q, float* __restrict__ scale, int cols) {
    __shared__ int partial[32];
    Long row = (Long)blockIdx.x * cols;
    int m = 0;
    for (int c = threadIdx.x; c < cols; c += blockDim.x) m = max(m, abs_bits(to_float(x[row + c])));
    float s = scale_from_absmax<Q>(block_max(m, partial)), inverse = 1.0f / s;
    if (threadIdx.x == 0) scale[blockIdx.x] = s;
    for (int c = threadIdx.x; c < cols; c += blockDim.x)
        q[row + c] = Format<Q>::encode(to_float(x[row + c]) * inverse);
}

// ---- a scale for each row, one pass: a thread keeps PACKS * 8 elements ------------------------------------------
template <class T, class Q, int PACKS>      // PACKS is a constant, because an array with a variable index is no register
__global__ void quantize_rows_one_pass(const T* __restrict__ x, Q* __restrict__ q, float* __restrict__ scale, int cols) {
    __shared__ int partial[32];
    Long row = (Long)blockIdx.x * cols;
    Pack<T, VECTOR> pack[PACKS];            // as they were loaded: bf16 takes half the registers that floats would
    int m = 0;
#pragma unroll
    for (int p = 0; p < PACKS; ++p) {
        int c = (p * blockDim.x + threadIdx.x) * VECTOR;
        if (c >= cols) continue;
        pack[p] = load_pack<T, VECTOR>(x + row + c);
        m = max(m, absmax_bits(pack[p]));
    }
    float s = scale_from_absmax<Q>(block_max(m, partial)), inverse = 1.0f / s, v[VECTOR];
    if (threadIdx.x == 0) scale[blockIdx.x] = s;
#pragma unroll
    for (int p = 0; p < PACKS; ++p) {
        int c = (p * blockDim.x + threadIdx.x) * VECTOR;
        if (c >= cols) continue;
        to_floats(pack[p], v);
        quantize_and_store<Q, VECTOR>(q + row + c, v, inverse);
    }
}

// ---- launchers --------------------------------------------------------------------------------------------------
template <class T, class Q, int N>
void launch_static(const void* x, const float* scale, void* q, int* nonfinite, Long n, cudaStream_t stream) {
    quantize_static_kernel<T, Q, N><<<blocks_for(n / N), THREADS, 0, stream>>>((const T*)x, scale, (Q*)q, n, nonfinite);
}

template <class T, class Q, int N>
void launch_tensor(const void* x, int* absmax, void* q, float* scale, Long n, cudaStream_t stream) {
    unsigned blocks = blocks_for(n / N), resident = min(blocks, 132u * 8);   // 8 blocks for each of an H200's 132 SMs
    absmax_kernel<T, N><<<resident, THREADS, 0, stream>>>((const T*)x, n, absmax);
    quantize_by_absmax_kernel<T, Q, N><<<blocks, THREADS, 0, stream>>>((const T*)x, absmax, (Q*)q, scale, n);
}

extern "C" int quantize_static(int x_type, int q_type, int vectorized, const void* x, const float* scale, void* q,
                               int* nonfinite, Long n, cudaStream_t stream) {
    return dispatch_types(x_type, q_type, [&](auto t, auto u) {
        using T = decltype(t); using Q = decltype(u);
        if (vectorized) launch_static<T, Q, VECTOR>(x, scale, q, nonfinite, n, stream);
        else launch_static<T, Q, 1>(x, scale, q, nonfinite, n, stream);
    });
}

extern "C" int quantize_tensor(int x_type, int q_type, int vectorized, const void* x, int* absmax, void* q,
                               float* scale, Long n, cudaStream_t stream) {       // *absmax must be 0
    return dispatch_types(x_type, q_type, [&](auto t, auto u) {
        using T = decltype(t); using Q = decltype(u);
        if (vectorized) launch_tensor<T, Q, VECTOR>(x, absmax, q, scale, n, stream);
        else launch_tensor<T, Q, 1>(x, absmax, q, scale, n, stream);
    });
}

extern "C" int quantize_rows(int version, int x_type, int q_type, const void* x, void* q, float* scale, int rows,
                             int cols, cudaStream_t stream) {         // version 1: cols % 8 == 0 and cols <= 32768
    return dispatch_types(x_type, q_type, [&](auto t, auto u) {
        using T = decltype(t); using Q = decltype(u);
        int threads = cols <= 4096 ? 128 : cols <= 8192 ? 256 : cols <= 16384 ? 512 : 1024;
        int packs = (cols / VECTOR + threads - 1) / threads;                 // up to 4: four loads of 16 bytes a thread
        const T* in = (const T*)x;
        Q* out = (Q*)q;
        if (version == 0) quantize_rows_two_pass<T, Q><<<rows, THREADS, 0, stream>>>(in, out, scale, cols);
        else if (packs <= 1) quantize_rows_one_pass<T, Q, 1><<<rows, threads, 0, stream>>>(in, out, scale, cols);
        else if (packs <= 2) quantize_rows_one_pass<T, Q, 2><<<rows, threads, 0, stream>>>(in, out, scale, cols);
        else quantize_rows_one_pass<T, Q, 4><<<rows, threads, 0, stream>>>(in, out, scale, cols);
    });
}
