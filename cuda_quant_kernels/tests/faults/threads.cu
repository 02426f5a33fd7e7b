// Threads that do not wait for each other, or wait for ever. A line that a test looks for ends in [tag].
#include "ptx.cuh"
#include <cuda_runtime.h>

__global__ void no_first_barrier(const int* x, int* y) {
    __shared__ int s[64];
    s[threadIdx.x] = x[threadIdx.x];                          // [first: written]
    y[threadIdx.x] = s[63 - threadIdx.x];                     // [first: read]
}
__global__ void no_second_barrier(const int* x, int* y, int tiles) {
    __shared__ int s[64];
    int sum = 0;
    for (int t = 0; t < tiles; ++t) {
        s[threadIdx.x] = x[t * 64 + threadIdx.x];             // [second: written]
        __syncthreads();
        sum += s[63 - threadIdx.x];                           // [second: read]
    }
    y[threadIdx.x] = sum;
}
__global__ void no_syncwarp(const int* x, int* y) {
    __shared__ int s[32];
    s[threadIdx.x] = x[threadIdx.x];                          // [warp: written]
    y[threadIdx.x] = s[threadIdx.x ^ 1];                      // [warp: read]
}
__global__ void shuffle_is_no_barrier(const int* x, int* y) {
    __shared__ int s[32];
    s[threadIdx.x] = x[threadIdx.x];                          // [shuffle: written]
    int v = __shfl_xor_sync(0xffffffffu, x[threadIdx.x], 1);
    y[threadIdx.x] = v + s[threadIdx.x ^ 1];                  // [shuffle: read]
}
__global__ void two_blocks_one_place(int* y) {
    if (threadIdx.x == 0) y[0] = blockIdx.x;                  // [blocks]
}
__global__ void plain_sum(const int* x, int* y) {
    y[0] += x[threadIdx.x];                                   // [sum]
}
__global__ void atomic_and_plain(int* y) {
    atomicAdd(&y[0], 1);                                      // [atomic]
    if (threadIdx.x == 7) y[0] = 0;                           // [plain]
}
__global__ void barrier_in_branch(int* y, int n) {
    if ((int)threadIdx.x < n) {
        y[threadIdx.x] += 1;
        __syncthreads();                                      // [in branch]
    }
    y[threadIdx.x] += 1;
}
__global__ void two_barriers(int* y) {
    if (threadIdx.x < 32) {
        y[threadIdx.x] = 1;
        __syncthreads();                                      // [one of two]
    } else {
        y[threadIdx.x] = 2;
        __syncthreads();                                      // [two of two]
    }
}
__global__ void lane_missing(int* y) {
    if (threadIdx.x != 9) y[threadIdx.x] = __shfl_down_sync(0xffffffffu, y[threadIdx.x], 1);   // [lane missing]
    __syncthreads();
}
__global__ void reads_an_ended_lane(int* y, int n) {
    if ((int)threadIdx.x >= n) return;
    y[threadIdx.x] = __shfl_down_sync(0xffffffffu, y[threadIdx.x], 16);   // [ended lane]
}
__global__ void not_in_own_mask(int* y) {
    y[threadIdx.x] = __shfl_sync(0x0000ffffu, y[threadIdx.x], 0);         // [own mask]
}
__global__ void two_stages(const int4* x, int* y, int tiles, int wait) {
    __shared__ __align__(16) int4 s[2][64];
    cp_async16(&s[0][threadIdx.x], &x[threadIdx.x]);
    cp_async_commit();
    int sum = 0;
    for (int t = 0; t < tiles; ++t) {
        if (t + 1 < tiles) cp_async16(&s[(t + 1) & 1][threadIdx.x], &x[(t + 1) * 64 + threadIdx.x]);   // [copy]
        cp_async_commit();
        if (wait) cp_async_wait<1>();
        __syncthreads();
        sum += s[t & 1][63 - threadIdx.x].x;                  // [landed?]
        __syncthreads();
    }
    y[threadIdx.x] = sum;
}
__global__ void wait_without_barrier(const int4* x, int* y) {
    __shared__ __align__(16) int4 s[64];
    cp_async16(&s[threadIdx.x], &x[threadIdx.x]);             // [copied by another]
    cp_async_wait_all();
    y[threadIdx.x] = s[63 - threadIdx.x].x;                   // [no barrier]
}
#ifdef QK_ON_CPU                                              // nvcc refuses it by itself
__global__ void too_much_shared(int* y) {
    __shared__ int s[60000];                                  // [too much]
    s[threadIdx.x] = 1;
    y[threadIdx.x] = s[threadIdx.x];
}
#endif

extern "C" int run_race(int which, const int* x, int* y) {
    if (which == 0) no_first_barrier<<<1, 64>>>(x, y);
    if (which == 1) no_second_barrier<<<1, 64>>>(x, y, 3);
    if (which == 2) no_syncwarp<<<1, 32>>>(x, y);
    if (which == 3) shuffle_is_no_barrier<<<1, 32>>>(x, y);
    if (which == 4) two_blocks_one_place<<<2, 32>>>(y);
    if (which == 5) plain_sum<<<1, 32>>>(x, y);
    if (which == 6) atomic_and_plain<<<1, 32>>>(y);
    if (which == 7) wait_without_barrier<<<1, 64>>>((const int4*)x, y);
    return (int)cudaGetLastError();
}
extern "C" int run_wait(int which, int* y, int n) {
    if (which == 0) barrier_in_branch<<<1, 64>>>(y, n);
    if (which == 1) two_barriers<<<1, 64>>>(y);
    if (which == 2) lane_missing<<<1, 32>>>(y);
    if (which == 3) reads_an_ended_lane<<<1, 32>>>(y, n);
    if (which == 4) not_in_own_mask<<<1, 32>>>(y);
    return (int)cudaGetLastError();
}
extern "C" int run_copies(const int* x, int* y, int tiles, int wait) {
    two_stages<<<1, 64>>>((const int4*)x, y, tiles, wait);
    return (int)cudaGetLastError();
}
extern "C" int run_shape(int which, int* y) {
    if (which == 0) two_barriers<<<1, 1025>>>(y);             // [too many threads]
    if (which == 1) two_barriers<<<0, 64>>>(y);               // [no block]
    if (which == 2) two_barriers<<<1, 64, 50000>>>(y);        // [too much dynamic]
#ifdef QK_ON_CPU
    if (which == 3) too_much_shared<<<1, 32>>>(y);
#endif
    return (int)cudaGetLastError();
}
