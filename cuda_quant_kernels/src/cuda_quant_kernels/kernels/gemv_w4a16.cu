// W4A16:  y[m,n] = sum_k x[m,k] * (q[n,k] - 8) * s[n, k/128]     fp16 in and out, 4-bit weights, fp32 sums.
//
// Eight weights fill a 32-bit word, the lowest bits first; a scale for each 128 of a row. A token reads every weight
// once and uses it for two operations, so the bytes of the weights decide: 4.125 bits each instead of 16.
//
//   version 0  a thread a row    lanes read different rows: 32 sectors a request
//   version 1  a warp a row      16 bytes a lane, 512 neighbouring bytes a request; but each weight costs a shift, a mask,
//                                an integer conversion (a quarter of the rate of an addition) and an fma
//   version 2  tensor core       two weights become fp16 by one and-or and one subtraction, the products are the tensor
//                                core's; 16 rows x up to 16 tokens a block, the groups of a row shared out among warps,
//                                the next group under way while one is worked on
//
// Version 2 is also the skinny GEMM: the tensor core's 8 columns are there anyway, so 8 tokens cost what 1 does.
// K must be a multiple of 128; N and M (1 to 16) are free.
#include <cstdint>
#include <cuda_fp16.h>
#include "ptx.cuh"
#include "warp.cuh"

constexpr int GROUP = 128;
struct Gemv { const uint32_t* w; const __half *s, *x; __half* y; int m, n, k; };

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
        sum += part * __half2float(g.s[(size_t)n * (g.k / GROUP) + k / GROUP]);
    }
    g.y[(size_t)m * g.n + n] = __float2half(sum);
}

// ---- version 1 --------------------------------------------------------------------------------------------------
__global__ void gemv_warp(Gemv g) {
    int n = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, m = blockIdx.y, lane = threadIdx.x % 32;
    if (n >= g.n) return;                                  // whole warps leave
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
        sum += part * __half2float(g.s[(size_t)n * (g.k / GROUP) + k / GROUP]);
    }
    sum = warp_sum(sum);
    if (lane == 0) g.y[(size_t)m * g.n + n] = __float2half(sum);
}

// ---- version 2 --------------------------------------------------------------------------------------------------
// fp16 numbers from 1024 to 2047 are spaced by 1, so 0x6400 | q is 1024 + q: no conversion instruction is needed. One
// word gives the pairs of nibbles (0,4), (1,5), (2,6), (3,7), because their distance is the 16 bits of a half.
__device__ __forceinline__ unsigned two_weights(uint32_t word, int i) {
    unsigned magic = (word >> 4 * i & 0x000f000f) | 0x64006400;
    __half2 v = __hsub2(reinterpret_cast<__half2&>(magic), __half2half2(__float2half(1032.0f)));   // 1024 + q - (1024 + 8)
    return reinterpret_cast<unsigned&>(v);
}

// The activations in the same order: from 8 neighbours the pairs (0,4), (1,5), (2,6), (3,7).
__device__ __forceinline__ void pair_up(const int4& x, unsigned (&pair)[4]) {
    pair[0] = __byte_perm(x.x, x.z, 0x5410); pair[1] = __byte_perm(x.x, x.z, 0x7632);
    pair[2] = __byte_perm(x.y, x.w, 0x5410); pair[3] = __byte_perm(x.y, x.w, 0x7632);
}

constexpr int WARPS = 8, ROWS = 16;

template <int TILES>                                       // tokens in tiles of 8: the tensor core's columns
__global__ void __launch_bounds__(WARPS * 32) gemm_skinny(Gemv g) {
    __shared__ float partial[WARPS][TILES * 8][ROWS + 4];   // 20 floats a token: a warp's stores hit 32 banks
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, row = lane / 4, t = lane % 4, n0 = blockIdx.x * ROWS;
    int r0 = min(n0 + row, g.n - 1), r1 = min(n0 + row + 8, g.n - 1), groups = g.k / GROUP;   // beyond N: read the last row
    float sum[TILES][4] = {};
    auto columns = [&](int group) { return group * GROUP + t * 32; };   // this lane's 32; the order of k is ours to choose
    struct Rows { uint4 w0, w1; __half s0, s1; } next{};
    auto load = [&](int group) {
        size_t word = columns(group) / 8;
        next.w0 = *reinterpret_cast<const uint4*>(g.w + (size_t)r0 * (g.k / 8) + word);
        next.w1 = *reinterpret_cast<const uint4*>(g.w + (size_t)r1 * (g.k / 8) + word);
        next.s0 = g.s[(size_t)r0 * groups + group], next.s1 = g.s[(size_t)r1 * groups + group];
    };
    if (warp < groups) load(warp);
    for (int group = warp; group < groups; group += WARPS) {
        int k = columns(group);
        Rows now = next;
        if (group + WARPS < groups) load(group + WARPS);   // under way while this group is worked on
        const uint32_t word0[4] = {now.w0.x, now.w0.y, now.w0.z, now.w0.w}, word1[4] = {now.w1.x, now.w1.y, now.w1.z, now.w1.w};
        float part[TILES][4] = {};
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            unsigned a[2][4] = {{two_weights(word0[j], 0), two_weights(word1[j], 0), two_weights(word0[j], 1), two_weights(word1[j], 1)},
                                {two_weights(word0[j], 2), two_weights(word1[j], 2), two_weights(word0[j], 3), two_weights(word1[j], 3)}};
#pragma unroll
            for (int tile = 0; tile < TILES; ++tile) {
                int token = tile * 8 + row;
                int4 raw = make_int4(0, 0, 0, 0);
                if (token < g.m) raw = *reinterpret_cast<const int4*>(g.x + (size_t)token * g.k + k + j * 8);
                unsigned pair[4];
                pair_up(raw, pair);
                unsigned b[2][2] = {{pair[0], pair[1]}, {pair[2], pair[3]}};
                mma_m16n8k16_f16(part[tile], a[0], b[0]);
                mma_m16n8k16_f16(part[tile], a[1], b[1]);
            }
        }
        float s0 = __half2float(now.s0), s1 = __half2float(now.s1);
#pragma unroll
        for (int tile = 0; tile < TILES; ++tile)
#pragma unroll
            for (int i = 0; i < 4; ++i) sum[tile][i] += (i < 2 ? s0 : s1) * part[tile][i];
    }
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile)
#pragma unroll
        for (int i = 0; i < 4; ++i) partial[warp][tile * 8 + t * 2 + i % 2][row + i / 2 * 8] = sum[tile][i];
    __syncthreads();
    for (int i = threadIdx.x; i < TILES * 8 * ROWS; i += WARPS * 32) {
        int token = i / ROWS, r = i % ROWS;
        if (token >= g.m || n0 + r >= g.n) continue;
        float total = 0;
        for (int w = 0; w < WARPS; ++w) total += partial[w][token][r];
        g.y[(size_t)token * g.n + n0 + r] = __float2half(total);
    }
}

extern "C" int gemm_w4a16(int version, const uint32_t* w, const __half* s, const __half* x, __half* y, int m, int n,
                          int k, cudaStream_t stream) {
    Gemv g{w, s, x, y, m, n, k};
    if (version == 0) gemv_thread<<<dim3((n + 127) / 128, m), 128, 0, stream>>>(g);
    else if (version == 1) gemv_warp<<<dim3((n + 3) / 4, m), 128, 0, stream>>>(g);
    else if (m <= 8) gemm_skinny<1><<<(n + ROWS - 1) / ROWS, WARPS * 32, 0, stream>>>(g);
    else gemm_skinny<2><<<(n + ROWS - 1) / ROWS, WARPS * 32, 0, stream>>>(g);
    return (int)cudaGetLastError();
}
