// A tiled GEMM with one fault at a time, chosen by a macro. The break-it experiments run it.
//   NO_FIRST   no barrier between storing a tile and reading it       NO_BOUNDS  every thread writes C
//   NO_SECOND  no barrier between reading a tile and overwriting it   INT8_SUM   sums kept in int8
//   WRONG_AXIS  threadIdx.x runs down the rows
#include <cstdint>
#include <cuda_runtime.h>
constexpr int TILE = 16;
#ifdef INT8_SUM
using Sum = int8_t;
#else
using Sum = int;
#endif

__global__ void tiled(const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
    __shared__ int8_t a_tile[TILE][TILE], b_tile[TILE][TILE];
#ifdef WRONG_AXIS
    int x = threadIdx.y, y = threadIdx.x;
#else
    int x = threadIdx.x, y = threadIdx.y;
#endif
    int row = blockIdx.y * TILE + y, col = blockIdx.x * TILE + x;
    Sum sum = 0;
    for (int k0 = 0; k0 < k; k0 += TILE) {
        a_tile[y][x] = row < m && k0 + x < k ? a[row * k + k0 + x] : 0;
        b_tile[y][x] = k0 + y < k && col < n ? b[(k0 + y) * n + col] : 0;
#ifndef NO_FIRST
        __syncthreads();
#endif
        for (int j = 0; j < TILE; ++j) sum += a_tile[y][j] * b_tile[j][x];
#ifndef NO_SECOND
        __syncthreads();
#endif
    }
#ifndef NO_BOUNDS
    if (row >= m || col >= n) return;
#endif
    c[row * n + col] = sum;
}

extern "C" int run_tiled(const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
    tiled<<<dim3((n + TILE - 1) / TILE, (m + TILE - 1) / TILE), dim3(TILE, TILE)>>>(a, b, c, m, n, k);
    return (int)cudaGetLastError();
}
