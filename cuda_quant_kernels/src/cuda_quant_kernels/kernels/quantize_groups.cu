// A scale for each group of 128 neighbours in a row, and the way back from any quantization.
//
//   quantize_groups    16 lanes of 8 elements hold a group, so the maximum takes four shuffles and no shared memory.
//                      2 + 1 + 4/128 bytes an element from bf16. The last group of a row may be shorter
//   dequantize         q * scale in fp32 or bf16, for scales per tensor, per row or per group
#include "dispatch.cuh"
#include "vectorized.cuh"

using Long = long long;

// LANES neighbouring lanes share a group. Without vectorized access a lane takes 4 elements, 32 columns apart.
//
//     vectorized:   lane     0               1                     15
//                   columns  0 1 ... 7       8 9 ... 15     ...    120 ... 127
//     scalar:       lane     0               1                     31
//                   columns  0 32 64 96      1 33 65 97     ...    31 63 95 127
template <class T, class Q, int N>
__global__ void quantize_groups_kernel(const T* __restrict__ x, Q* __restrict__ q, float* __restrict__ scale, Long rows,
                                       int cols) {
    constexpr int LANES = N == VECTOR ? GROUP_SIZE / VECTOR : 32, STEPS = GROUP_SIZE / (LANES * N);
    int groups = (cols + GROUP_SIZE - 1) / GROUP_SIZE;
    Long group = ((Long)blockIdx.x * blockDim.x + threadIdx.x) / LANES, row = group / groups * cols;
    bool inside = group < rows * groups;                  // no early return: all lanes must reach the shuffles
    int lane = threadIdx.x % LANES, first = (int)(group % groups) * GROUP_SIZE, m = 0;
    float v[STEPS][N];
#pragma unroll
    for (int i = 0; i < STEPS; ++i) {
        int c = first + (i * LANES + lane) * N;
        if (!inside || c >= cols) continue;
        load<T, N>(x + row + c, v[i]);
        m = max(m, absmax_bits(v[i]));
    }
    float s = scale_from_absmax<Q>(lanes_max<LANES>(m)), inverse = 1.0f / s;
    if (inside && lane == 0) scale[group] = s;
#pragma unroll
    for (int i = 0; i < STEPS; ++i) {
        int c = first + (i * LANES + lane) * N;
        if (inside && c < cols) quantize_and_store<Q, N>(q + row + c, v[i], inverse);
    }
}

// A row has `scales_per_row` scales, one for every `group_size` columns; 0 scales per row: one scale for the tensor.
template <class Q, class T, int N>
__global__ void dequantize_kernel(const Q* __restrict__ q, const float* __restrict__ scale, T* __restrict__ x, Long n,
                                  int cols, int group_size, int scales_per_row) {
    Long i = ((Long)blockIdx.x * blockDim.x + threadIdx.x) * N;
    if (i >= n) return;
    float s = scale[scales_per_row ? i / cols * scales_per_row + (int)(i % cols) / group_size : 0];
    Pack<Q, N> in = *reinterpret_cast<const Pack<Q, N>*>(q + i);
    Pack<T, N> out;
#pragma unroll
    for (int j = 0; j < N; ++j) out.v[j] = from_float<T>(Format<Q>::decode(in.v[j]) * s);
    store<T, N>(x + i, out);
}

template <class T, class Q, int N, int LANES>
void launch_groups(const void* x, void* q, float* scale, Long rows, int cols, cudaStream_t stream) {
    Long groups = rows * ((cols + GROUP_SIZE - 1) / GROUP_SIZE);
    unsigned blocks = blocks_for(groups * LANES);
    quantize_groups_kernel<T, Q, N><<<blocks, THREADS, 0, stream>>>((const T*)x, (Q*)q, scale, rows, cols);
}

template <class T, class Q, int N>
void launch_dequantize(const void* q, const float* scale, void* x, Long n, int cols, int group_size, int scales_per_row,
                       cudaStream_t stream) {
    dequantize_kernel<Q, T, N><<<blocks_for(n / N), THREADS, 0, stream>>>((const Q*)q, scale, (T*)x, n, cols, group_size,
                                                                         scales_per_row);
}

extern "C" int quantize_groups(int x_type, int q_type, int vectorized, const void* x, void* q, float* scale, Long rows,
                               int cols, cudaStream_t stream) {
    return dispatch_types(x_type, q_type, [&](auto t, auto u) {
        using T = decltype(t); using Q = decltype(u);
        if (vectorized) launch_groups<T, Q, VECTOR, GROUP_SIZE / VECTOR>(x, q, scale, rows, cols, stream);
        else launch_groups<T, Q, 1, 32>(x, q, scale, rows, cols, stream);
    });
}

extern "C" int dequantize(int q_type, int x_type, int vectorized, const void* q, const float* scale, void* x, Long n,
                          int cols, int group_size, int scales_per_row, cudaStream_t stream) {
    return dispatch_types(x_type, q_type, [&](auto t, auto u) {
        using T = decltype(t); using Q = decltype(u);
        if (vectorized) launch_dequantize<T, Q, VECTOR>(q, scale, x, n, cols, group_size, scales_per_row, stream);
        else launch_dequantize<T, Q, 1>(q, scale, x, n, cols, group_size, scales_per_row, stream);
    });
}
