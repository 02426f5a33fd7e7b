#pragma once
// Reductions over the 32 threads of a warp, without shared memory: each step halves the distance.
#include <cuda_runtime.h>

constexpr unsigned FULL_WARP = 0xffffffffu;

// The bits of a non-negative float order like the float itself, with infinity above every number and NaN above
// infinity. So the maximum over bits is the absolute maximum, and a NaN survives it; fmaxf would drop it.
__device__ __forceinline__ int abs_bits(float x) { return __float_as_int(x) & 0x7fffffff; }

template <int WIDTH>
__device__ __forceinline__ int lanes_max(int v) {
#pragma unroll
    for (int offset = WIDTH / 2; offset > 0; offset >>= 1) v = max(v, __shfl_xor_sync(FULL_WARP, v, offset));
    return v;
}

template <class T>
__device__ __forceinline__ T warp_sum(T v) {
#pragma unroll
    for (int offset = 16; offset > 0; offset >>= 1) v += __shfl_xor_sync(FULL_WARP, v, offset);
    return v;
}

// The maximum over a block. `partial` is one int per warp of shared memory; every thread gets the result.
__device__ __forceinline__ int block_max(int v, int* partial) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = (blockDim.x + 31) / 32;
    v = lanes_max<32>(v);
    if (lane == 0) partial[warp] = v;
    __syncthreads();
    return lanes_max<32>(lane < warps ? partial[lane] : 0);  // every warp reduces the partials for itself
}
