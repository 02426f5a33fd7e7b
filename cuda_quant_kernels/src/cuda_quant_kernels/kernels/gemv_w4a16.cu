// W4A16 without tensor cores. A token reads every weight once and uses it for two operations, so the bytes of the weights
// decide: 4.125 bits each instead of 16.
//
//   version 0  thread        a thread for each row: lanes read different rows, 32 sectors a request
//   version 1  warp          a warp for each row: 16 bytes a lane, 512 neighbouring bytes a request. Each weight costs a
//                            shift, a mask, an integer conversion (a quarter of an addition's rate) and an fma
#include "gemv.cuh"

__device__ __forceinline__ float weight(uint32_t word, int i) { return (float)((int)(word >> 4 * i & 15) - 8); }

// ---- version 0 --------------------------------------------------------------------------------------------------
__global__ void gemv_thread(Gemv g) {
    int n = blockIdx.x * blockDim.x + threadIdx.x, m = blockIdx.y;
    if (n >= g.n) return;
    float sum = 0;
    for (int k = 0; k < g.k; k += 8) {
        uint32_t word = g.w[(size_t)n * (g.k / 8) + k / 8];
        float part = 0;
        for (int i = 0; i < 8; ++i) part += __half2float(g.x[(size_t)m * g.k + k + i]) * weight(word, i);
        sum += part * __half2float(g.s[(size_t)n * (g.k / GROUP_SIZE) + k / GROUP_SIZE]);
    }
    g.y[(size_t)m * g.n + n] = __float2half(sum);
}

// ---- version 1 --------------------------------------------------------------------------------------------------
__global__ void gemv_warp(Gemv g) {
    int n = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, m = blockIdx.y, lane = threadIdx.x % 32;
    if (n >= g.n) return;                                  // the whole warp returns
    float sum = 0;
    for (int k = lane * 32; k < g.k; k += 32 * 32) {       // 16 bytes are 32 weights: a quarter of a group
        uint4 words = *reinterpret_cast<const uint4*>(g.w + (size_t)n * (g.k / 8) + k / 8);
        const uint32_t word[4] = {words.x, words.y, words.z, words.w};
        float part = 0;
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            int4 raw = *reinterpret_cast<const int4*>(g.x + (size_t)m * g.k + k + j * 8);
            const __half* x = reinterpret_cast<const __half*>(&raw);
#pragma unroll
            for (int i = 0; i < 8; ++i) part += __half2float(x[i]) * weight(word[j], i);
        }
        sum += part * __half2float(g.s[(size_t)n * (g.k / GROUP_SIZE) + k / GROUP_SIZE]);
    }
    sum = warp_sum(sum);
    if (lane == 0) g.y[(size_t)m * g.n + n] = __float2half(sum);
}

extern "C" int gemv_w4a16(int version, const uint32_t* w, const __half* s, const __half* x, __half* y, int m, int n,
                          int k, cudaStream_t stream) {
    Gemv g{w, s, x, y, m, n, k};
    if (version == 0) gemv_thread<<<dim3((n + 127) / 128, m), 128, 0, stream>>>(g);
    else gemv_warp<<<dim3((n + 3) / 4, m), 128, 0, stream>>>(g);
    return (int)cudaGetLastError();
}
