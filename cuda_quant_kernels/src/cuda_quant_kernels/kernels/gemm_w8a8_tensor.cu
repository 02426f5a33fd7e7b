// W8A8 GEMM on tensor cores:  C[m,n] = sa[m] * sw[n] * sum_k A[m,k] * W[n,k].  Both versions need K % 16 == 0.
//
//   version 4  mma.sync     128x256 tiles, 64x64 a warp. cp.async copies three tiles ahead while one is multiplied
//   version 5  wgmma        Hopper only: 128x256 tiles. The tensor cores read them from shared memory themselves, so no
//                           operand passes through registers. One tile is multiplied while the next is issued
#include "gemm.cuh"
#include "ptx.cuh"
#include "wgmma.cuh"

// Where a row's 16-byte chunk lies: swizzled, so that 8 neighbouring rows of a column use all 32 banks, and so do the 8
// neighbouring chunks of one copy. Rows of 64 bytes, chunk numbers 0 to 3 as they lie in shared memory:
//
//     row 0, 1   0 1 2 3
//     row 2, 3   1 0 3 2
//     row 4, 5   2 3 0 1
//     row 6, 7   3 2 1 0
//
// Rows padded to 80 bytes serve the reads as well. Their copies take 8 wavefronts instead of 4: two padded rows overlap
// in 4 banks.
template <int BYTES> __device__ __forceinline__ int swizzled(int row, int chunk) {
    return row * BYTES + (chunk ^ (BYTES == 128 ? row % 8 : row / 2 % 4)) * 16;
}

// Copies ROWS rows of BYTES bytes, from (row0, k0) on, into shared memory. What lies outside the matrix becomes zero.
template <int ROWS, int BYTES>
__device__ __forceinline__ void copy_tile(int8_t* tile, const int8_t* matrix, int row0, int rows, int k0, int k) {
    constexpr int CHUNKS = BYTES / 16;
#pragma unroll
    for (int i = 0; i < ROWS * CHUNKS / 256; ++i) {
        int chunk = threadIdx.x + i * 256, row = chunk / CHUNKS, column = chunk % CHUNKS;
        bool inside = row0 + row < rows && k0 + column * 16 < k;
        const int8_t* from = inside ? matrix + (size_t)(row0 + row) * k + k0 + column * 16 : matrix;
        cp_async16(tile + swizzled<BYTES>(row, column), from, inside ? 16 : 0);
    }
}

// Shared memory holds STAGES stages in a ring. A stage is a tile of A (M x K) and one of W (N x K).
template <int M, int N, int K, int STAGES> struct Ring {
    static constexpr int BYTES = (M + N) * K, TOTAL = BYTES * STAGES;
    static __device__ __forceinline__ int8_t* a(int8_t* shared, int tile) { return shared + tile % STAGES * BYTES; }
    static __device__ __forceinline__ int8_t* w(int8_t* shared, int tile) { return a(shared, tile) + M * K; }
    // Copies one tile of both; an empty group behind the last tile keeps the count of groups.
    static __device__ __forceinline__ void load(int8_t* shared, const Gemm& g, int m0, int n0, int tile) {
        if (tile * K < g.k) {
            copy_tile<M, K>(a(shared, tile), g.a, m0, g.m, tile * K, g.k);
            copy_tile<N, K>(w(shared, tile), g.w, n0, g.n, tile * K, g.k);
        }
        cp_async_commit();
    }
};

// ---- version 4 --------------------------------------------------------------------------------------------------
// A block has 8 warps in 2 rows of 4; each computes 64 x 64 outputs as 4 x 8 products of 16 x 8.
//
// One mma multiplies A (16 x 32, by rows) and W (8 x 32, by rows) into C (16 x 8). A register holds four int8 of one
// row, four neighbours in k. With r = lane / 4 and t = lane % 4, a lane holds:
//
//                 k = 4t..4t+3   k = 16+4t..                  n = 2t   2t+1
//     A  row r        a[0]           a[2]          C  row r      c[0]   c[1]
//        row r + 8    a[1]           a[3]             row r + 8  c[2]   c[3]
//     W  row r        w[0]           w[1]
//
// ldmatrix_x4 loads four 8 x 16-byte matrices so: lane l gives the address of row l % 8 of matrix l / 8.
using MmaRing = Ring<128, 256, 64, 4>;

__device__ __forceinline__ void load_a(unsigned (&a)[4], const int8_t* tile, int row, int chunk, int lane) {
    ldmatrix_x4(a, tile + swizzled<64>(row + lane % 16, chunk + lane / 16));
}

// Two fragments of W, 8 rows each: registers 0 and 1 for the first, 2 and 3 for the second.
__device__ __forceinline__ void load_two_w(unsigned (&w)[4], const int8_t* tile, int row, int chunk, int lane) {
    ldmatrix_x4(w, tile + swizzled<64>(row + lane / 16 * 8 + lane % 8, chunk + lane / 8 % 2));
}

__device__ __forceinline__ void multiply_tiles(int (&sum)[4][8][4], const int8_t* a, const int8_t* w, int wm, int wn,
                                               int lane) {
#pragma unroll
    for (int chunk = 0; chunk < 4; chunk += 2) {           // 32 values of k: two chunks of a row
        unsigned af[4][4], wf[4][4];
#pragma unroll
        for (int y = 0; y < 4; ++y) load_a(af[y], a, wm + y * 16, chunk, lane);
#pragma unroll
        for (int x = 0; x < 4; ++x) load_two_w(wf[x], w, wn + x * 16, chunk, lane);
#pragma unroll
        for (int y = 0; y < 4; ++y)
#pragma unroll
            for (int x = 0; x < 8; ++x) {
                unsigned wx[2] = {wf[x / 2][x % 2 * 2], wf[x / 2][x % 2 * 2 + 1]};
                mma_m16n8k32_s8(sum[y][x], af[y], wx);
            }
    }
}

__global__ void __launch_bounds__(256) gemm_mma(Gemm g) {
    constexpr int AHEAD = 3;                               // tiles that are copied ahead of the one that is multiplied
    extern __shared__ __align__(16) int8_t shared[];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, r = lane / 4, t = lane % 4;
    int2 place = tile_of_block();
    int m0 = place.y * 128, n0 = place.x * 256, wm = warp / 4 * 64, wn = warp % 4 * 64;
    int tiles = (g.k + 63) / 64, sum[4][8][4] = {};
    for (int i = 0; i < AHEAD; ++i) MmaRing::load(shared, g, m0, n0, i);
    for (int i = 0; i < tiles; ++i) {
        cp_async_wait<AHEAD - 1>();                        // this thread's part of tile i has arrived
        __syncthreads();                                   // so have all others' parts; and all have read tile i - 1
        MmaRing::load(shared, g, m0, n0, i + AHEAD);       // over tile i - 1
        multiply_tiles(sum, MmaRing::a(shared, i), MmaRing::w(shared, i), wm, wn, lane);
    }
#pragma unroll
    for (int y = 0; y < 4; ++y)
#pragma unroll
        for (int x = 0; x < 8; ++x)
#pragma unroll
            for (int half = 0; half < 2; ++half)
                store_two_outputs(g, m0 + wm + y * 16 + r + half * 8, n0 + wn + x * 8 + t * 2, sum[y][x][half * 2],
                                  sum[y][x][half * 2 + 1]);
}

// ---- version 5 --------------------------------------------------------------------------------------------------
// A block has 2 warpgroups of 128 threads. Each multiplies its 64 rows of A by all 256 rows of W; a descriptor names a
// tile in shared memory, and the sums of 64 x 256 outputs lie in the registers of 128 threads:
//
//     warp w of the group: rows 16w to 16w + 15.  With r = lane / 4, t = lane % 4 and x from 0 to 31:
//                     n = 8x + 2t       8x + 2t + 1
//         row r       sum[4x]           sum[4x + 1]
//         row r + 8   sum[4x + 2]       sum[4x + 3]
//
// The order in time, for tile i (its products run while the next tile is prepared):
//
//     wait for copy i | fence, barrier | issue 4 products of tile i | copy tile i + 2 | wait for products of tile i - 1
using WgmmaRing = Ring<128, 256, 128, 4>;
constexpr int WGMMA_SHARED = WgmmaRing::TOTAL + 1024;      // the ring must begin at a multiple of 1024 bytes

__global__ void __launch_bounds__(256) gemm_wgmma(Gemm g) {
#ifdef HAS_WGMMA
    constexpr int AHEAD = 2;                               // one stage is filled while two are read
    extern __shared__ __align__(16) int8_t raw[];
    int8_t* shared = raw + (1024 - (size_t)__cvta_generic_to_shared(raw) % 1024) % 1024;
    int group = threadIdx.x / 128, warp = threadIdx.x % 128 / 32, r = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    int2 place = tile_of_block();
    int m0 = place.y * 128, n0 = place.x * 256, tiles = (g.k + 127) / 128;
    int sum[128];                                          // not cleared: the first product overwrites instead of adding
    auto multiply = [&](int tile, bool first) {
        const int8_t *a = WgmmaRing::a(shared, tile) + group * 64 * 128, *w = WgmmaRing::w(shared, tile);
        cp_async_wait<AHEAD - 1>();                        // this thread's part of the tile has arrived
        fence_async_proxy();                               // tensor cores may read what cp.async has written
        __syncthreads();                                   // all parts have arrived; products of tile - 2 are done
        wgmma_fence();
#pragma unroll
        for (int k = 0; k < 128; k += 32)
            wgmma_m64n256k32_s8(sum, wgmma_descriptor(a + k), wgmma_descriptor(w + k), k > 0 || !first);
        wgmma_commit();
        WgmmaRing::load(shared, g, m0, n0, tile + AHEAD);  // over tile - 2, while the tensor cores work
    };
    for (int i = 0; i < AHEAD; ++i) WgmmaRing::load(shared, g, m0, n0, i);
    multiply(0, true);                                     // first iteration peeled: otherwise ptxas waits after every
    for (int i = 1; i < tiles; ++i) {                      // wgmma (C7514)
        multiply(i, false);
        wgmma_wait<1>();                                   // for tile i - 1
    }
    wgmma_wait<0>();
#pragma unroll
    for (int j = 0; j < 128; j += 2)
        store_two_outputs(g, m0 + group * 64 + warp * 16 + r + j / 2 % 2 * 8, n0 + j / 4 * 8 + t * 2, sum[j], sum[j + 1]);
#else
    __trap();                                              // built for another architecture
#endif
}

// ---- launchers --------------------------------------------------------------------------------------------------
template <class Kernel>
void launch_with_shared(Kernel* kernel, const Gemm& g, int shared, cudaStream_t stream) {
    cudaFuncSetAttribute((const void*)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared);   // beyond 48 KB
    kernel<<<grid_of_tiles(g, 128, 256), 256, shared, stream>>>(g);
}

bool is_hopper() {
    int device = 0, major = 0;
    cudaGetDevice(&device);
    cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    return major == 9;
}

extern "C" int gemm_w8a8_tensor(int version, const int8_t* a, const int8_t* w, const float* sa, const float* sw, float* c,
                                int m, int n, int k, cudaStream_t stream) {
    Gemm g{a, w, sa, sw, c, m, n, k};
    if (version == 4) launch_with_shared(gemm_mma, g, MmaRing::TOTAL, stream);
    else if (version == 5 && is_hopper()) launch_with_shared(gemm_wgmma, g, WGMMA_SHARED, stream);
    else return (int)cudaErrorNotSupported;
    return (int)cudaGetLastError();
}
