#pragma once
// What all versions of the W8A8 GEMM share: the arguments, and the store of scaled outputs.
#include <cstdint>
#include <cuda_runtime.h>

// C[m,n] = sa[m] * sw[n] * sum_k A[m,k] * W[n,k]. W has a row for each output channel, as in torch.nn.Linear.
struct Gemm { const int8_t *a, *w; const float *sa, *sw; float* c; int m, n, k; };

__device__ __forceinline__ void store_output(const Gemm& g, int m, int n, int sum) {
    if (m < g.m && n < g.n) g.c[(size_t)m * g.n + n] = g.sa[m] * g.sw[n] * (float)sum;
}

// Two neighbours of a row, n even: one store of 8 bytes where rows begin at a multiple of 8 bytes.
__device__ __forceinline__ void store_two_outputs(const Gemm& g, int m, int n, int sum0, int sum1) {
    if (m < g.m && n + 1 < g.n && g.n % 2 == 0) {
        float2 pair = {g.sa[m] * g.sw[n] * (float)sum0, g.sa[m] * g.sw[n + 1] * (float)sum1};
        *reinterpret_cast<float2*>(&g.c[(size_t)m * g.n + n]) = pair;
    } else {
        store_output(g, m, n, sum0);
        store_output(g, m, n + 1, sum1);
    }
}

// Which tile of outputs a block computes, as (column, row) of the grid of tiles. Blocks start in the order of their
// numbers. Row by row, those that run together would need all of W. In groups of GROUPED rows, column by column within
// a group, they need few rows of tiles and few columns, and find them in L2.
constexpr int GROUPED = 16;
__device__ __forceinline__ int2 tile_of_block() {
    int id = blockIdx.y * gridDim.x + blockIdx.x, first = id / (GROUPED * gridDim.x) * GROUPED;
    int rows = min(GROUPED, (int)gridDim.y - first), inside = id % (GROUPED * gridDim.x);
    return {inside / rows, first + inside % rows};
}

inline dim3 grid_of_tiles(const Gemm& g, int tile_m, int tile_n) {
    return dim3((g.n + tile_n - 1) / tile_n, (g.m + tile_m - 1) / tile_m);
}
