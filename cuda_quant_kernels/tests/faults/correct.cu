// Kernels with nothing wrong: every primitive, with results that a test knows, and what the rewriter must read.
#include "correct.cuh"
#include "ptx.cuh"
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>

/* A comment with kernel<<<1, 2>>>(x) and __shared__ int nothing[3]; in it. */
static const char* text = "kernel<<<1, 2>>>(x); extern __shared__ int nothing[];";

template <int N, bool Reverse = (N > 16)>
__global__ void tile_sum(const int* x, int* y, int tiles) {
    __shared__ int a[N][2], b [ N * (N > 3 ? 1 : 2) ], total;
    int sum = 0;
    for (int t = 0; t < tiles; ++t) {
        a[threadIdx.x][t & 1] = x[t * N + threadIdx.x];
        b[threadIdx.x] = 1;
        __syncthreads();
        sum += a[Reverse ? N - 1 - threadIdx.x : threadIdx.x][t & 1] * b[(threadIdx.x + 1) % N];
        __syncthreads();
    }
    if (threadIdx.x == 0) total = tiles;
    __syncthreads();
    y[threadIdx.x] = sum + total;
}
namespace deep {
namespace er {
template <class T, class U>
__global__ void add(const T* x, U* y, T value) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    y[i] = (U)(x[i] + value);
}
}  // namespace er
}  // namespace deep

__global__ void votes(unsigned* out) {
    unsigned l = threadIdx.x & 31, w = threadIdx.x / 32;
    unsigned* o = out + threadIdx.x * 12;
    o[0] = __shfl_sync(0xffffffffu, l * 10, 5);
    o[1] = __shfl_up_sync(0xffffffffu, l, 3);
    o[2] = __shfl_down_sync(0xffffffffu, l, 3, 8);
    o[3] = __shfl_xor_sync(0xffffffffu, l, 16);
    o[4] = __ballot_sync(0xffffffffu, l % 3 == w);
    o[5] = __any_sync(0xffffffffu, l == 40) + 2 * __any_sync(0xffffffffu, l == 4);
    o[6] = __all_sync(0xffffffffu, l < 32) + 2 * __all_sync(0xffffffffu, l < 31);
    o[7] = __reduce_add_sync(0xffffffffu, l);
    o[8] = __match_any_sync(0xffffffffu, l / 8);
    if (l < 16) {
        o[9] = __activemask();
        o[10] = __shfl_xor_sync(0x0000ffffu, l, 1);
        __syncwarp(0x0000ffffu);
    } else {
        o[9] = __activemask();
        o[10] = (unsigned)__shfl_down_sync(0xffff0000u, 1.5 * l, 1);
    }
    o[11] = __syncthreads_count(threadIdx.x % 5 == 0);
}
__global__ void warp_tree(const int* x, int* y) {            // shared memory, ordered by __syncwarp alone
    __shared__ int s[32];
    s[threadIdx.x] = x[threadIdx.x];
    __syncwarp();
    for (int o = 16; o; o >>= 1) {
        int v = s[(threadIdx.x + o) % 32];
        __syncwarp();
        s[threadIdx.x] += v;
        __syncwarp();
    }
    y[threadIdx.x] = s[threadIdx.x];
}
__global__ void atomics(const int* x, int* y, float* f) {
    __shared__ int count;
    if (threadIdx.x == 0) count = 0;
    __syncthreads();
    atomicAdd(&count, 1);
    atomicAdd(&y[0], x[threadIdx.x]);
    atomicMax(&y[1], x[threadIdx.x]);
    atomicMin(&y[2], x[threadIdx.x]);
    atomicAdd(f, 0.5f);
    __syncthreads();
    if (threadIdx.x == 0) atomicExch(&y[3], count);
    for (bool done = false; !done;) {                        // a spin lock, given up between tries
        if (atomicCAS(&y[4], 0, 1) == 0) {
            atomicAdd(&y[5], 1);
            atomicExch(&y[4], 0);
            done = true;
        }
    }
}
__global__ void conversions(const float* x, __half* h, __nv_bfloat16* b, __nv_fp8_e4m3* e4, __nv_fp8_e5m2* e5, int* r,
                            int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    h[i] = __float2half(x[i]);
    b[i] = __float2bfloat16(x[i]);
    e4[i] = __nv_fp8_e4m3(x[i]);
    e5[i] = __nv_fp8_e5m2(x[i]);
    r[i] = __float2int_rn(x[i]);
}
__global__ void shapes(int* y) {
    int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    y[block * (blockDim.x * blockDim.y * blockDim.z) + thread] = block * 1000 + thread;
}
__global__ void tensor_core(const int8_t* a, const int8_t* b, int* c) {            // a 16x32 by rows, b 32x8 by columns
    __shared__ __align__(16) int8_t as[16][32], bs[8][32];
    *(int4*)&as[threadIdx.x / 2][threadIdx.x % 2 * 16] = ((const int4*)a)[threadIdx.x];
    if (threadIdx.x < 16) *(int4*)&bs[threadIdx.x / 2][threadIdx.x % 2 * 16] = ((const int4*)b)[threadIdx.x];
    __syncwarp();
    unsigned fa[4], fb[2];
    int l = threadIdx.x, sum[4] = {0, 0, 0, 0};
    ldmatrix_x4(fa, &as[l % 16][l / 16 * 16]);
    ldmatrix_x2(fb, &bs[l % 8][l / 8 % 2 * 16]);
    mma_m16n8k32_s8(sum, fa, fb);
    for (int i = 0; i < 4; ++i) c[(l / 4 + i / 2 * 8) * 8 + l % 4 * 2 + i % 2] = sum[i];
}
__global__ void tensor_core_half(const __half* a, const __half* b, float* c) {     // a 16x16, b 16x8, both by rows
    __shared__ __align__(16) __half as[16][16], bs[16][8];
    ((int4*)as)[threadIdx.x] = ((const int4*)a)[threadIdx.x];
    if (threadIdx.x < 16) ((int4*)bs)[threadIdx.x] = ((const int4*)b)[threadIdx.x];
    __syncwarp();
    unsigned fa[4], fb[2];
    int l = threadIdx.x;
    float sum[4] = {};
    ldmatrix_x4(fa, &as[l % 16][l / 16 * 8]);
    ldmatrix_x2_trans(fb, &bs[l % 16][0]);
    mma_m16n8k16_f16(sum, fa, fb);
    for (int i = 0; i < 4; ++i) c[(l / 4 + i / 2 * 8) * 8 + l % 4 * 2 + i % 2] = sum[i];
}
__global__ void ragged_copy(const char* x, char* y, int n) {
    __shared__ __align__(16) char s[64 * 16];
    int from = threadIdx.x * 16, there = n - from < 0 ? 0 : n - from > 16 ? 16 : n - from;
    cp_async16(&s[from], there ? x + from : x, there);
    cp_async_wait_all();
    __syncthreads();
    int back = 63 - threadIdx.x;
    ((int4*)y)[back] = ((int4*)s)[back];
}
__global__ void big_dynamic(int* y, int n) {
    extern __shared__ __align__(16) int tile[];
    tile[n - 1 - threadIdx.x] = threadIdx.x;
    __syncthreads();
    y[threadIdx.x] = tile[n - 64 + threadIdx.x];
}

extern "C" int run_correct(int which, const int* x, int* y, float* f, int n) {
    auto pointer = tile_sum<32>;
    dim3 grid(2, 3, 2), threads(4, 2, 5);
    if (which == 0) tile_sum<8><<<1, 8>>>(x, y, 2);
    if (which == 1) pointer<<<1, 32>>>(x, y, 3);
    if (which == 2)
        deep::er::add<int, int>
            <<<dim3((n + 31) / 32, 1),
               32, 0,
               /* the default stream */ nullptr>>>(
                x, y,
                (text[0] == 'k' ? 5 : 6));
    if (which == 3) warp_tree<<<1, 32>>>(x, y);
    if (which == 4) atomics<<<2, 64>>>(x, y, f);
    if (which == 5) shapes<<<grid, threads>>>(y);
    if (which == 6) votes<<<1, 64>>>((unsigned*)y);
    if (which == 7) ragged_copy<<<1, 64>>>((const char*)x, (char*)y, n);
    if (which == 8) {
        auto most = cudaFuncAttributeMaxDynamicSharedMemorySize;
        if (int error = cudaFuncSetAttribute(big_dynamic, most, n * 4)) return error;
        big_dynamic<<<1, 64, n * sizeof(int)>>>(y, n);
    }
    if (which == 9) header_reverse<32><<<1, 32>>>(x, y);
    return (int)cudaGetLastError();
}
extern "C" int run_conversions(const float* x, void* h, void* b, void* e4, void* e5, int* r, int n) {
    conversions<<<(n + 63) / 64, 64>>>(x, (__half*)h, (__nv_bfloat16*)b, (__nv_fp8_e4m3*)e4, (__nv_fp8_e5m2*)e5, r, n);
    return (int)cudaGetLastError();
}
extern "C" int run_tensor_core(int half, const void* a, const void* b, void* c) {
    if (half) tensor_core_half<<<1, 32>>>((const __half*)a, (const __half*)b, (float*)c);
    else tensor_core<<<1, 32>>>((const int8_t*)a, (const int8_t*)b, (int*)c);
    return (int)cudaGetLastError();
}
