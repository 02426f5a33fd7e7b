// W8A8 GEMM:  C[m,n] = sa[m] * sw[n] * sum_k A[m,k] * W[n,k]     int8 operands, int32 sums, fp32 result.
//
// 2MNK operations on (M + N)K + 4MN bytes: for a large matrix arithmetic should decide the time. These four versions
// still wait for memory. gemm_w8a8_tensor.cu has the two that use tensor cores.
//
//   version 0  naive        a thread for each output, lanes along n. Each lane reads another row of W, so a request for
//                           32 bytes touches 32 sectors of 32 bytes: 31/32 of the traffic is wasted
//   version 1  coalesced    a warp for each output, lanes along k: a request is one sector, all of it used. Every row
//                           is still read once for each output
//   version 2  tiled        32x32 tiles in shared memory: a byte read from global memory serves 32 outputs
//   version 3  dp4a         64x64 tiles, 4x4 outputs a thread, four multiply-adds an instruction: a word read from
//                           shared memory serves 16 multiply-adds instead of 1
//
// The tracer's counts are in results/REPORT.md. Version 3 needs K % 4 == 0.
#include "gemm.cuh"
#include "warp.cuh"

// ---- version 0 --------------------------------------------------------------------------------------------------
__global__ void gemm_naive(Gemm g) {
    int n = blockIdx.x * blockDim.x + threadIdx.x;
    int m = blockIdx.y * blockDim.y + threadIdx.y;
    if (m >= g.m || n >= g.n) return;
    int sum = 0;
    for (int k = 0; k < g.k; ++k)
        sum += (int)g.a[(size_t)m * g.k + k] * (int)g.w[(size_t)n * g.k + k];
    store_output(g, m, n, sum);
}

// ---- version 1 --------------------------------------------------------------------------------------------------
__global__ void gemm_coalesced(Gemm g) {
    int n = blockIdx.x * blockDim.y + threadIdx.y, m = blockIdx.y, lane = threadIdx.x;
    if (n >= g.n) return;                                  // the whole warp returns, so the shuffles stay complete
    int sum = 0;
    for (int k = lane; k < g.k; k += 32)
        sum += (int)g.a[(size_t)m * g.k + k] * (int)g.w[(size_t)n * g.k + k];
    sum = warp_sum(sum);
    if (lane == 0) store_output(g, m, n, sum);
}

// ---- version 2 --------------------------------------------------------------------------------------------------
__global__ void gemm_tiled(Gemm g) {
    constexpr int T = 32;
    __shared__ int8_t a_tile[T][T];
    __shared__ int8_t w_tile[T][T + 4];                    // rows of 36 bytes: lanes that read a column use 32 banks
    int x = threadIdx.x, y = threadIdx.y;
    int m = blockIdx.y * T + y, n = blockIdx.x * T + x, w_row = blockIdx.x * T + y;
    int sum = 0;
    for (int k0 = 0; k0 < g.k; k0 += T) {
        int k = k0 + x;
        a_tile[y][x] = m < g.m && k < g.k ? g.a[(size_t)m * g.k + k] : 0;
        w_tile[y][x] = w_row < g.n && k < g.k ? g.w[(size_t)w_row * g.k + k] : 0;
        __syncthreads();                                   // the tile is complete before a thread reads it
#pragma unroll
        for (int i = 0; i < T; ++i) sum += (int)a_tile[y][i] * (int)w_tile[x][i];
        __syncthreads();                                   // all threads have read it before one overwrites it
    }
    store_output(g, m, n, sum);
}

// ---- version 3 --------------------------------------------------------------------------------------------------
constexpr int DP4A_TILE = 64, DP4A_WORDS = 8;              // a tile: 64 rows of 8 words, which are 32 values of k
using WordTile = int[DP4A_WORDS][DP4A_TILE + 4];           // transposed: k is the first index

// Copies one tile of a matrix whose rows are `words` words long; zeros outside it.
__device__ __forceinline__ void copy_words(WordTile& tile, const int* matrix, int row0, int rows, int k0, int words) {
#pragma unroll
    for (int i = threadIdx.x; i < DP4A_TILE * DP4A_WORDS; i += 256) {
        int row = row0 + i / DP4A_WORDS, k = k0 + i % DP4A_WORDS;
        tile[i % DP4A_WORDS][i / DP4A_WORDS] = row < rows && k < words ? matrix[(size_t)row * words + k] : 0;
    }
}

__global__ void __launch_bounds__(256) gemm_dp4a(Gemm g) {
    __shared__ alignas(16) int a_tile[DP4A_WORDS][DP4A_TILE + 4], w_tile[DP4A_WORDS][DP4A_TILE + 4];
    int x = threadIdx.x % 16 * 4, y = threadIdx.x / 16 * 4;          // this thread's 4x4 outputs in the tile
    int m0 = blockIdx.y * DP4A_TILE, n0 = blockIdx.x * DP4A_TILE, words = g.k / 4;
    const int *a = reinterpret_cast<const int*>(g.a), *w = reinterpret_cast<const int*>(g.w);
    int sum[4][4] = {};
    for (int k0 = 0; k0 < words; k0 += DP4A_WORDS) {
        copy_words(a_tile, a, m0, g.m, k0, words);
        copy_words(w_tile, w, n0, g.n, k0, words);
        __syncthreads();
#pragma unroll
        for (int k = 0; k < DP4A_WORDS; ++k) {
            int4 av = *reinterpret_cast<const int4*>(&a_tile[k][y]), wv = *reinterpret_cast<const int4*>(&w_tile[k][x]);
            int ar[4] = {av.x, av.y, av.z, av.w}, wr[4] = {wv.x, wv.y, wv.z, wv.w};
#pragma unroll
            for (int i = 0; i < 4; ++i)
#pragma unroll
                for (int j = 0; j < 4; ++j) sum[i][j] = __dp4a(ar[i], wr[j], sum[i][j]);
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) store_output(g, m0 + y + i, n0 + x + j, sum[i][j]);
}

extern "C" int gemm_w8a8(int version, const int8_t* a, const int8_t* w, const float* sa, const float* sw, float* c,
                         int m, int n, int k, cudaStream_t stream) {
    Gemm g{a, w, sa, sw, c, m, n, k};
    if (version == 0) gemm_naive<<<grid_of_tiles(g, 8, 32), dim3(32, 8), 0, stream>>>(g);
    else if (version == 1) gemm_coalesced<<<grid_of_tiles(g, 1, 8), dim3(32, 8), 0, stream>>>(g);
    else if (version == 2) gemm_tiled<<<grid_of_tiles(g, 32, 32), dim3(32, 32), 0, stream>>>(g);
    else if (version == 3) gemm_dp4a<<<grid_of_tiles(g, DP4A_TILE, DP4A_TILE), 256, 0, stream>>>(g);
    else return (int)cudaErrorNotSupported;
    return (int)cudaGetLastError();
}
