// W8A8:  C[m,n] = sa[m] * sb[n] * sum_k A[m,k] * W[n,k]     int8 operands, int32 sums, fp32 result.
//
// W is stored as torch.nn.Linear stores it: a row for each output channel. 2MNK operations on (M + N)K + 4MN bytes: for
// a large matrix arithmetic should decide, and every version but the last ones is still waiting for bytes.
//
//   version 0  naive        a thread for each output, lanes along n: each lane reads another row of W, so that a request
//                           of 32 bytes touches 32 sectors of 32 bytes, and 31/32 of the traffic is thrown away
//   version 1  coalesced    a warp for each output, lanes along k: a request is one sector, all of it used; every row
//                           is still read once for each output
//   version 2  tiled        32x32 tiles in shared memory: a byte read from global memory serves 32 outputs
//   version 3  dp4a         64x64 tiles, 4x4 outputs a thread, four products an instruction: a word read from shared
//                           memory serves 16 products instead of 1
//   version 4  mma.sync     128x256 tiles on tensor cores, 64x64 a warp; cp.async keeps three tiles under way while one
//                           is worked on
//   version 5  wgmma        Hopper only: 128x256 tiles that the tensor cores read from shared memory themselves, so that no
//                           operand passes through registers; one tile is under way while the next is issued
//
// The tracer's counts are in results/. Version 3 needs K % 4 == 0, versions 4 and 5 K % 16 == 0.
#include <cstdint>
#include "ptx.cuh"
#include "warp.cuh"
#include "wgmma.cuh"

struct Gemm { const int8_t *a, *w; const float *sa, *sb; float* c; int m, n, k; };

__device__ __forceinline__ void write_one(const Gemm& g, int m, int n, int sum) {
    if (m < g.m && n < g.n) g.c[(size_t)m * g.n + n] = g.sa[m] * g.sb[n] * (float)sum;
}

// Two neighbours of a row, n even: one store of 8 bytes where rows begin on multiples of 8.
__device__ __forceinline__ void write_two(const Gemm& g, int m, int n, int sum0, int sum1) {
    if (m < g.m && n + 1 < g.n && g.n % 2 == 0) {
        float2 pair = {g.sa[m] * g.sb[n] * (float)sum0, g.sa[m] * g.sb[n + 1] * (float)sum1};
        *reinterpret_cast<float2*>(&g.c[(size_t)m * g.n + n]) = pair;
    } else {
        write_one(g, m, n, sum0);
        write_one(g, m, n + 1, sum1);
    }
}

// ---- version 0 --------------------------------------------------------------------------------------------------
__global__ void gemm_naive(Gemm g) {
    int n = blockIdx.x * blockDim.x + threadIdx.x, m = blockIdx.y * blockDim.y + threadIdx.y;
    if (m >= g.m || n >= g.n) return;
    int sum = 0;
    for (int k = 0; k < g.k; ++k)
        sum += (int)g.a[(size_t)m * g.k + k] * (int)g.w[(size_t)n * g.k + k];
    write_one(g, m, n, sum);
}

// ---- version 1 --------------------------------------------------------------------------------------------------
__global__ void gemm_coalesced(Gemm g) {
    int n = blockIdx.x * blockDim.y + threadIdx.y, m = blockIdx.y, lane = threadIdx.x;
    if (n >= g.n) return;                                  // the whole warp leaves, so the shuffles below stay complete
    int sum = 0;
    for (int k = lane; k < g.k; k += 32)
        sum += (int)g.a[(size_t)m * g.k + k] * (int)g.w[(size_t)n * g.k + k];
    sum = warp_sum(sum);
    if (lane == 0) write_one(g, m, n, sum);
}

// ---- version 2 --------------------------------------------------------------------------------------------------
__global__ void gemm_tiled(Gemm g) {
    constexpr int T = 32;
    __shared__ int8_t a_tile[T][T], w_tile[T][T + 4];      // 36-byte rows: lanes that walk down a column hit 32 banks
    int x = threadIdx.x, y = threadIdx.y, m = blockIdx.y * T + y, n = blockIdx.x * T + x, w_row = blockIdx.x * T + y;
    int sum = 0;
    for (int k0 = 0; k0 < g.k; k0 += T) {
        a_tile[y][x] = m < g.m && k0 + x < g.k ? g.a[(size_t)m * g.k + k0 + x] : 0;
        w_tile[y][x] = w_row < g.n && k0 + x < g.k ? g.w[(size_t)w_row * g.k + k0 + x] : 0;
        __syncthreads();                                   // the tile is complete before anyone reads it
#pragma unroll
        for (int k = 0; k < T; ++k) sum += (int)a_tile[y][k] * (int)w_tile[x][k];
        __syncthreads();                                   // everyone has read it before anyone overwrites it
    }
    write_one(g, m, n, sum);
}

// ---- version 3 --------------------------------------------------------------------------------------------------
__global__ void __launch_bounds__(256) gemm_dp4a(Gemm g) {
    constexpr int T = 64, WORDS = 8, PAD = 4;              // a tile is 64 rows of 8 words = 32 values of k
    __shared__ alignas(16) int a_tile[WORDS][T + PAD], w_tile[WORDS][T + PAD];   // transposed: k outermost
    int tid = threadIdx.x, x = tid % 16, y = tid / 16, m0 = blockIdx.y * T, n0 = blockIdx.x * T, words = g.k / 4;
    const int *a = reinterpret_cast<const int*>(g.a), *w = reinterpret_cast<const int*>(g.w);
    int sum[4][4] = {};
    for (int k0 = 0; k0 < words; k0 += WORDS) {
#pragma unroll
        for (int i = tid; i < T * WORDS; i += 256) {
            int row = i / WORDS, k = i % WORDS;
            a_tile[k][row] = m0 + row < g.m && k0 + k < words ? a[(size_t)(m0 + row) * words + k0 + k] : 0;
            w_tile[k][row] = n0 + row < g.n && k0 + k < words ? w[(size_t)(n0 + row) * words + k0 + k] : 0;
        }
        __syncthreads();
#pragma unroll
        for (int k = 0; k < WORDS; ++k) {
            int4 av = *reinterpret_cast<const int4*>(&a_tile[k][y * 4]), wv = *reinterpret_cast<const int4*>(&w_tile[k][x * 4]);
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
        for (int j = 0; j < 4; ++j) write_one(g, m0 + y * 4 + i, n0 + x * 4 + j, sum[i][j]);
}

// ---- version 4 --------------------------------------------------------------------------------------------------
// Where a row's 16-byte chunk lies: moved within the row, so that 8 neighbouring rows of a column fill all 32 banks, and
// so do 8 neighbouring chunks of a copy. Rows padded to 80 bytes serve the reads as well, but the tracer counts 8 passes
// instead of 4 for their cp.async: two padded rows overlap in 4 banks.
template <int BYTES> __device__ __forceinline__ int swizzled(int row, int chunk) {
    return row * BYTES + (chunk ^ (BYTES == 128 ? row % 8 : row / 2 % 4)) * 16;
}

// Copies ROWS rows of BYTES bytes starting at (row0, k0) into shared memory; what lies outside the matrix becomes zero.
template <int ROWS, int BYTES, int THREADS>
__device__ __forceinline__ void copy_tile(int8_t* shared, const int8_t* matrix, int row0, int rows, int k0, int k) {
    constexpr int CHUNKS = BYTES / 16;
#pragma unroll
    for (int i = 0; i < ROWS * CHUNKS / THREADS; ++i) {
        int at = threadIdx.x + i * THREADS, row = at / CHUNKS, chunk = at % CHUNKS;
        bool inside = row0 + row < rows && k0 + chunk * 16 < k;
        cp_async16(shared + swizzled<BYTES>(row, chunk),
                   inside ? matrix + (size_t)(row0 + row) * k + k0 + chunk * 16 : matrix, inside ? 16 : 0);
    }
}

constexpr int MMA_M = 128, MMA_N = 256, MMA_K = 64, MMA_STAGES = 4;
constexpr int MMA_STAGE = (MMA_M + MMA_N) * MMA_K, MMA_SHARED = MMA_STAGE * MMA_STAGES;

__device__ __forceinline__ void mma_load(int8_t* shared, const Gemm& g, int m0, int n0, int tile) {
    int8_t* stage = shared + tile % MMA_STAGES * MMA_STAGE;
    copy_tile<MMA_M, MMA_K, 256>(stage, g.a, m0, g.m, tile * MMA_K, g.k);
    copy_tile<MMA_N, MMA_K, 256>(stage + MMA_M * MMA_K, g.w, n0, g.n, tile * MMA_K, g.k);
}

__global__ void __launch_bounds__(256) gemm_mma(Gemm g) {
    extern __shared__ __align__(16) int8_t shared[];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int m0 = blockIdx.y * MMA_M, n0 = blockIdx.x * MMA_N, wm = warp / 4 * 64, wn = warp % 4 * 64;
    int tiles = (g.k + MMA_K - 1) / MMA_K, sum[4][8][4] = {};
    for (int i = 0; i < MMA_STAGES - 1; ++i) {
        if (i < tiles) mma_load(shared, g, m0, n0, i);
        cp_async_commit();
    }
    for (int i = 0; i < tiles; ++i) {
        cp_async_wait<MMA_STAGES - 2>();                   // tile i has arrived, as far as this thread copied it
        __syncthreads();                                   // and for all threads; and tile i - 1 is read by all
        if (i + MMA_STAGES - 1 < tiles) mma_load(shared, g, m0, n0, i + MMA_STAGES - 1);   // where tile i - 1 was
        cp_async_commit();
        const int8_t *a = shared + i % MMA_STAGES * MMA_STAGE, *w = a + MMA_M * MMA_K;
#pragma unroll
        for (int k = 0; k < MMA_K / 16; k += 2) {          // 32 values of k: two chunks of a row
            unsigned af[4][4], wf[4][4];                   // wf: two 8-column fragments each
#pragma unroll
            for (int y = 0; y < 4; ++y) ldmatrix_x4(af[y], a + swizzled<MMA_K>(wm + y * 16 + lane % 16, k + lane / 16));
#pragma unroll
            for (int x = 0; x < 4; ++x)
                ldmatrix_x4(wf[x], w + swizzled<MMA_K>(wn + x * 16 + lane / 16 * 8 + lane % 8, k + lane / 8 % 2));
#pragma unroll
            for (int y = 0; y < 4; ++y)
#pragma unroll
                for (int x = 0; x < 8; ++x) {
                    unsigned wx[2] = {wf[x / 2][x % 2 * 2], wf[x / 2][x % 2 * 2 + 1]};
                    mma_m16n8k32_s8(sum[y][x], af[y], wx);
                }
        }
    }
#pragma unroll
    for (int y = 0; y < 4; ++y)
#pragma unroll
        for (int x = 0; x < 8; ++x)
#pragma unroll
            for (int j = 0; j < 4; j += 2)
                write_two(g, m0 + wm + y * 16 + lane / 4 + j / 2 * 8, n0 + wn + x * 8 + lane % 4 * 2, sum[y][x][j], sum[y][x][j + 1]);
}

// ---- version 5 --------------------------------------------------------------------------------------------------
constexpr int WG_M = 128, WG_N = 256, WG_K = 128, WG_STAGES = 4;
constexpr int WG_STAGE = (WG_M + WG_N) * WG_K, WG_SHARED = WG_STAGE * WG_STAGES + 1024;   // to begin on 1024 bytes

__global__ void __launch_bounds__(256) gemm_wgmma(Gemm g) {
#ifdef HAS_WGMMA
    constexpr int AHEAD = WG_STAGES - 2;                   // one stage is being filled while two are being read
    extern __shared__ __align__(16) int8_t raw[];
    int8_t* shared = raw + (1024 - (size_t)__cvta_generic_to_shared(raw) % 1024) % 1024;
    int group = threadIdx.x / 128, warp = threadIdx.x % 128 / 32, row = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    int m0 = blockIdx.y * WG_M, n0 = blockIdx.x * WG_N, tiles = (g.k + WG_K - 1) / WG_K;
    int sum[128];                                          // not cleared: the first product does not add, it overwrites
    auto load = [&](int tile) {
        int8_t* stage = shared + tile % WG_STAGES * WG_STAGE;
        if (tile < tiles) {
            copy_tile<WG_M, WG_K, 256>(stage, g.a, m0, g.m, tile * WG_K, g.k);
            copy_tile<WG_N, WG_K, 256>(stage + WG_M * WG_K, g.w, n0, g.n, tile * WG_K, g.k);
        }
        cp_async_commit();                                 // an empty group, too, keeps the count of groups
    };
    auto multiply = [&](int tile, bool first) {
        const int8_t *a = shared + tile % WG_STAGES * WG_STAGE + group * 64 * WG_K, *w = a - group * 64 * WG_K + WG_M * WG_K;
        cp_async_wait<AHEAD - 1>();
        fence_async_proxy();
        __syncthreads();                                   // the tile is there, and all are done with the last but one
        wgmma_fence();
#pragma unroll
        for (int k = 0; k < WG_K; k += 32)
            wgmma_m64n256k32_s8(sum, wgmma_descriptor(a + k), wgmma_descriptor(w + k), k > 0 || !first);
        wgmma_commit();
        load(tile + AHEAD);                                // where the last but one was, while the tensor cores work
    };
    for (int i = 0; i < AHEAD; ++i) load(i);
    multiply(0, true);                                     // apart: were it possible that no tile sets `sum`, ptxas
    for (int i = 1; i < tiles; ++i) {                      // would put a wait behind every single product (C7514)
        multiply(i, false);
        wgmma_wait<1>();                                   // for tile i - 1
    }
    wgmma_wait<0>();
#pragma unroll
    for (int j = 0; j < 128; j += 2)
        write_two(g, m0 + group * 64 + warp * 16 + row + j / 2 % 2 * 8, n0 + j / 4 * 8 + t * 2, sum[j], sum[j + 1]);
#else
    __trap();                                              // built for another architecture
#endif
}

template <class Kernel>
void launch_large(Kernel* kernel, dim3 grid, int threads, int shared, cudaStream_t stream, Gemm g) {
    cudaFuncSetAttribute((const void*)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared);   // beyond 48 KB
    kernel<<<grid, threads, shared, stream>>>(g);
}

bool is_hopper() {
    int device = 0, major = 0;
    cudaGetDevice(&device);
    cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    return major == 9;
}

extern "C" int gemm_w8a8(int version, const int8_t* a, const int8_t* w, const float* sa, const float* sb, float* c,
                         int m, int n, int k, cudaStream_t stream) {
    Gemm g{a, w, sa, sb, c, m, n, k};
    auto tiles = [&](int tn, int tm) { return dim3((n + tn - 1) / tn, (m + tm - 1) / tm); };
    if (version == 0) gemm_naive<<<tiles(32, 8), dim3(32, 8), 0, stream>>>(g);
    else if (version == 1) gemm_coalesced<<<tiles(8, 1), dim3(32, 8), 0, stream>>>(g);
    else if (version == 2) gemm_tiled<<<tiles(32, 32), dim3(32, 32), 0, stream>>>(g);
    else if (version == 3) gemm_dp4a<<<tiles(64, 64), 256, 0, stream>>>(g);
    else if (version == 4) launch_large(gemm_mma, tiles(MMA_N, MMA_M), 256, MMA_SHARED, stream, g);
    else if (version == 5 && is_hopper()) launch_large(gemm_wgmma, tiles(WG_N, WG_M), 256, WG_SHARED, stream, g);
    else return (int)cudaErrorNotSupported;
    return (int)cudaGetLastError();
}
