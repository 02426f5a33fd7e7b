// wgmma: one right kernel, for every way a tile can lie in shared memory, and the same with one thing wrong.
#include <cuda_runtime.h>
#include "wgmma.cuh"

enum Wrong {
    NOTHING, NO_FENCE, NO_PROXY_FENCE, NO_WAIT, SHORT_WAIT, NO_BARRIER, OVERWRITTEN, OTHER_WARP, ABSENT_WARP, OTHER_LANE,
    MISALIGNED, BEYOND, TOUCHED, TOUCHED_LATER, OTHER_SWIZZLE, NOT_COPIED, FENCE_TOO_SOON, OVERWRITTEN_LATER,
    FENCED_BY_READER, FENCED_AGAIN          // these two are right
};
constexpr int K = 128, N = 8;

// Chunk k of a row of a tile of ROWS x 128 bytes, in panels of SWIZZLE bytes, as wgmma.cuh describes.
template <int SWIZZLE, int ROWS> __device__ __forceinline__ int place(int row, int chunk) {
    constexpr int CHUNKS = SWIZZLE / 16;
    int panel = chunk / CHUNKS, c = chunk % CHUNKS ^ row * SWIZZLE / 128 % CHUNKS;
    return panel * ROWS * SWIZZLE + row * SWIZZLE + c * 16;
}
template <int SWIZZLE, int ROWS> __device__ __forceinline__ int step(int k) {          // where column k begins
    return k / SWIZZLE * ROWS * SWIZZLE + (SWIZZLE > 16 ? k % SWIZZLE : 0);
}

template <int SWIZZLE, Wrong WRONG> __global__ void product(const int8_t* a, const int8_t* b, int* c) {
#ifdef HAS_WGMMA
    __shared__ __align__(1024) int8_t x[64 * K + 1024], y[N * K];
    int t = threadIdx.x, begin = WRONG == MISALIGNED ? 128 : 0, sum[4] = {1, 1, 1, 1};
    for (int i = t; i < 64 * K / 16; i += 128) {
        int4* to = (int4*)(x + begin + place<SWIZZLE, 64>(i / 8, i % 8));
        *to = ((const int4*)a)[i];                                                                         // [stored]
    }
    if (t < N * K / 16) {
        if (WRONG == NOT_COPIED || WRONG == FENCE_TOO_SOON)
            cp_async16(y + place<SWIZZLE, N>(t / 8, t % 8), b + t * 16), cp_async_commit();
        else *(int4*)(y + place<SWIZZLE, N>(t / 8, t % 8)) = ((const int4*)b)[t];
    }
    if (WRONG != NO_PROXY_FENCE && WRONG != FENCED_BY_READER) fence_async_proxy();
    if (WRONG == FENCE_TOO_SOON) cp_async_wait_all();
    if (WRONG != NO_BARRIER) __syncthreads();
    if (WRONG == FENCED_BY_READER) fence_async_proxy();
    if (WRONG != NO_FENCE) wgmma_fence();
    constexpr int DESCRIBED = WRONG == OTHER_SWIZZLE ? 64 : SWIZZLE;
    auto multiply = [&](int k) {
        int lost = WRONG == OTHER_WARP && t / 32 == 3 || WRONG == OTHER_LANE && t == 65 ? 64 * 16 : 0;
        uint64_t left = wgmma_descriptor<DESCRIBED>(x + begin + lost + step<SWIZZLE, 64>(k), 8 * SWIZZLE, 64 * 16);
        uint64_t right = wgmma_descriptor<DESCRIBED>(y + step<SWIZZLE, N>(k), 8 * SWIZZLE, N * 16);
        if (WRONG == BEYOND) left = wgmma_descriptor<16>(x, 200 * 1024);
        wgmma_m64n8k32_s8(sum, left, right, k > 0);                                                       // [product]
    };
    if (WRONG != ABSENT_WARP || t / 32 != 2)
        for (int k = 0; k < K; k += 32) {
            if (WRONG == TOUCHED && k == 32) sum[0] += 1;
            multiply(k);
            if ((WRONG == TOUCHED_LATER || WRONG == FENCED_AGAIN) && k == 32) {
                wgmma_commit();
                wgmma_wait<0>();
                sum[0] += 1;
                if (WRONG == FENCED_AGAIN) wgmma_fence();
            }
        }
    wgmma_commit();
    if (WRONG == OVERWRITTEN_LATER) __syncthreads();
    if (WRONG == OVERWRITTEN || WRONG == OVERWRITTEN_LATER) x[64 * K - 1 - t] = 0;                    // [overwritten]
    if (WRONG == SHORT_WAIT) wgmma_wait<1>();
    else if (WRONG != NO_WAIT) wgmma_wait<0>();
    for (int j = 0; j < 4; ++j) c[(t / 32 * 16 + t % 32 / 4 + j / 2 * 8) * N + t % 4 * 2 + j % 2] = sum[j];
#endif
}

__global__ void describe(uint64_t* out) {
#ifdef HAS_WGMMA
    __shared__ __align__(1024) int8_t tile[64 * K];
    out[0] = wgmma_descriptor<128>(tile), out[1] = wgmma_descriptor<64>(tile), out[2] = wgmma_descriptor<32>(tile);
    out[3] = wgmma_descriptor<16>(tile, 128, 64 * 16);
#endif
}

extern "C" int run_describe(uint64_t* out) {
    describe<<<1, 1>>>(out);
    return (int)cudaGetLastError();
}
extern "C" int run_swizzled(int bytes, const int8_t* a, const int8_t* b, int* c) {
    if (bytes == 128) product<128, NOTHING><<<1, 128>>>(a, b, c);
    else if (bytes == 64) product<64, NOTHING><<<1, 128>>>(a, b, c);
    else if (bytes == 32) product<32, NOTHING><<<1, 128>>>(a, b, c);
    else product<16, NOTHING><<<1, 128>>>(a, b, c);
    return (int)cudaGetLastError();
}

#define CASE(W) case W: product<128, W><<<1, 128>>>(a, b, c); break;
extern "C" int run_wrong(int wrong, const int8_t* a, const int8_t* b, int* c) {
    switch (wrong) {
        CASE(NO_FENCE) CASE(NO_PROXY_FENCE) CASE(NO_WAIT) CASE(SHORT_WAIT) CASE(NO_BARRIER) CASE(OVERWRITTEN)
        CASE(OTHER_WARP) CASE(ABSENT_WARP) CASE(OTHER_LANE) CASE(MISALIGNED) CASE(BEYOND) CASE(TOUCHED)
        CASE(TOUCHED_LATER) CASE(OTHER_SWIZZLE) CASE(NOT_COPIED) CASE(FENCE_TOO_SOON) CASE(OVERWRITTEN_LATER)
        CASE(FENCED_BY_READER) CASE(FENCED_AGAIN)
    }
    return (int)cudaGetLastError();
}
