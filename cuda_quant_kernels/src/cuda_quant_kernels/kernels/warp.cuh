#pragma once
// Reductions over the 32 lanes of a warp, without shared memory: each step halves the distance between two lanes.
#include <cuda_runtime.h>

constexpr unsigned FULL_WARP = 0xffffffffu;
constexpr int GROUP_SIZE = 128;          // columns that share a scale, in quantize_groups.cu and gemv.cuh

// The bits of a non-negative float order as the float does, then infinity, then NaN. So the maximum over the bits is
// the absolute maximum, and it keeps a NaN, which fmaxf would drop.
__device__ __forceinline__ int abs_bits(float x) { return __float_as_int(x) & 0x7fffffff; }

template <int LANES>
__device__ __forceinline__ int lanes_max(int v) {
#pragma unroll
    for (int offset = LANES / 2; offset > 0; offset >>= 1) v = max(v, __shfl_xor_sync(FULL_WARP, v, offset));
    return v;
}

template <class T>
__device__ __forceinline__ T warp_sum(T v) {
#pragma unroll
    for (int offset = 16; offset > 0; offset >>= 1) v += __shfl_xor_sync(FULL_WARP, v, offset);
    return v;
}

// The maximum over a block, for every thread. `partial` is one int of shared memory for each warp.
__device__ __forceinline__ int block_max(int v, int* partial) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = (blockDim.x + 31) / 32;
    v = lanes_max<32>(v);
    if (lane == 0) partial[warp] = v;
    __syncthreads();
    return lanes_max<32>(lane < warps ? partial[lane] : 0);  // every warp reduces the partial maxima for itself
}
