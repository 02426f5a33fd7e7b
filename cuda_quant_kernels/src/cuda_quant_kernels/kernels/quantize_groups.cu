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
    int groups = (cols + GROUP_SIZE - 1) / GROUP_SIZE, lane = threadIdx.x % LANES;
    int group = (blockIdx.x * blockDim.x + threadIdx.x) / LANES, first = group * GROUP_SIZE;
    for (Long row = blockIdx.y; row < rows; row += gridDim.y) {        // no early return: all lanes reach the shuffles
        float v[STEPS][N];
        int m = 0;
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
            int c = first + (i * LANES + lane) * N;
            if (c >= cols) continue;
            load<T, N>(x + row * cols + c, v[i]);
            m = max(m, absmax_bits(v[i]));
        }
        float s = scale_from_absmax<Q>(lanes_max<LANES>(m)), inverse = 1.0f / s;
        if (group < groups && lane == 0) scale[row * groups + group] = s;
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
            int c = first + (i * LANES + lane) * N;
            if (c < cols) quantize_and_store<Q, N>(q + row * cols + c, v[i], inverse);
        }
    }
}

// A row has `scales_per_row` scales, one for every `group_size` columns; 0 scales per row: one scale for the tensor.
template <class Q, class T, int N>
__global__ void dequantize_kernel(const Q* __restrict__ q, const float* __restrict__ scale, T* __restrict__ x, Long rows,
                                  int cols, int group_size, int scales_per_row) {
    int c = (blockIdx.x * blockDim.x + threadIdx.x) * N;
    if (c >= cols) return;
    for (Long row = blockIdx.y; row < rows; row += gridDim.y) {
        float s = scale[scales_per_row ? row * scales_per_row + c / group_size : 0];
        Pack<Q, N> in = *reinterpret_cast<const Pack<Q, N>*>(q + row * cols + c);
        Pack<T, N> out;
#pragma unroll
        for (int j = 0; j < N; ++j) out.v[j] = from_float<T>(Format<Q>::decode(in.v[j]) * s);
        store<T, N>(x + row * cols + c, out);
    }
}

// Blocks side by side along a row, and a row for each second index: a thread's place costs no division of 64 bits, which
// takes as long as all else that it does. The grid's second index ends at 65535; rows beyond are taken in turns.
inline dim3 grid_over(Long rows, Long threads_a_row, int block) {
    return dim3((unsigned)((threads_a_row + block - 1) / block), (unsigned)min(rows, (Long)65535));
}

inline int block_for(Long threads_a_row) { return (int)min((Long)THREADS, (threads_a_row + 31) / 32 * 32); }

template <class T, class Q, int N, int LANES>
void launch_groups(const void* x, void* q, float* scale, Long rows, int cols, cudaStream_t stream) {
    Long threads = (Long)((cols + GROUP_SIZE - 1) / GROUP_SIZE) * LANES;
    int block = block_for(threads);
    dim3 grid = grid_over(rows, threads, block);
    quantize_groups_kernel<T, Q, N><<<grid, block, 0, stream>>>((const T*)x, (Q*)q, scale, rows, cols);
}

template <class T, class Q, int N>
void launch_dequantize(const void* q, const float* scale, void* x, Long n, int cols, int group_size, int scales_per_row,
                       cudaStream_t stream) {
    int block = block_for(cols / N);
    dim3 grid = grid_over(n / cols, cols / N, block);
    dequantize_kernel<Q, T, N><<<grid, block, 0, stream>>>((const Q*)q, scale, (T*)x, n / cols, cols, group_size,
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
