// Accesses whose cost is known by hand, and accesses outside their arrays. A line that a test looks for ends in [tag].
#include <cassert>
#include <cstdint>
#include <cuda_runtime.h>

template <class T> __global__ void copy_strided(const T* x, T* y, int stride, int offset) {
    int i = threadIdx.x;
    y[i] = x[i * stride + offset];                            // [strided]
}
__global__ void same_word(const int* x, int* y) {
    y[threadIdx.x] = x[0];                                    // [broadcast]
}
__global__ void pieces_of_16(const int4* x, int4* y) {
    y[threadIdx.x] = x[threadIdx.x];                          // [wide]
}
__global__ void half_a_warp(const int* x, int* y) {
    if (threadIdx.x < 16) y[threadIdx.x] = x[threadIdx.x];    // [half warp]
}
struct Pair { float low, high; };
__device__ float sum(Pair p) { return p.low + p.high; }
__device__ Pair twice(float v) { return Pair{v, v}; }
__global__ void by_value(const Pair* x, Pair* y) {
    float v = sum(x[threadIdx.x]);                            // [argument]
    y[threadIdx.x] = twice(v);                                // [result]
}
__global__ void banks(int* y, int stride) {
    __shared__ int s[32 * 33];
    for (int i = threadIdx.x; i < 32 * 33; i += 32) s[i] = i;
    __syncthreads();
    y[threadIdx.x] = s[threadIdx.x * stride];                 // [banks]
}
__global__ void wide_banks(int* y) {
    __shared__ __align__(16) int4 s[32];
    s[threadIdx.x] = make_int4(threadIdx.x, 0, 0, 0);         // [wide banks]
    __syncthreads();
    y[threadIdx.x] = s[31 - threadIdx.x].x;
}
__global__ void bytes_in_words(const int8_t* x, int8_t* y) {
    __shared__ int8_t s[32];
    s[threadIdx.x] = x[threadIdx.x];                          // [bytes]
    __syncthreads();
    y[threadIdx.x] = s[31 - threadIdx.x];
}

__global__ void no_bounds_check(float* x) {
    x[blockIdx.x * blockDim.x + threadIdx.x] = 1.0f;          // [write past]
}
__global__ void read_past(const float* x, float* y, int n) {
    int i = threadIdx.x;
    if (i < n) y[i] = x[i + 1];                               // [read past]
}
__global__ void write_before(float* x) {
    x[(int)threadIdx.x - 1] = 1.0f;                           // [write before]
}
__global__ void shared_past(int* x) {
    __shared__ int first[32];
    __shared__ int second[32];
    first[threadIdx.x] = 1;
    second[threadIdx.x] = 2;
    first[threadIdx.x + 1] = 3;                               // [shared past]
    __syncthreads();
    x[threadIdx.x] = first[threadIdx.x] + second[threadIdx.x];
}
__global__ void dynamic_past(int* x) {
    extern __shared__ int tile[];
    tile[threadIdx.x] = 1;
    __syncthreads();
    x[threadIdx.x] = tile[threadIdx.x + 1];                   // [dynamic past]
}
__global__ void never_written(int* x) {
    __shared__ int s[64];
    s[threadIdx.x] = 1;
    __syncthreads();
    x[threadIdx.x] = s[threadIdx.x + 32];                     // [uninitialised]
}
__global__ void misaligned(const int8_t* x, int4* y) {
    y[threadIdx.x] = *(const int4*)(x + 16 * threadIdx.x + 4);  // [misaligned]
}
__global__ void wild(int* x) {
    int* nowhere = (int*)(uintptr_t)0x10;
    if (threadIdx.x == 5) *nowhere = 1;                       // [wild]
    x[threadIdx.x] = 1;
}
__global__ void local_past(int* x, int n) {
    int local[8];
    for (int i = 0; i <= n; ++i) local[i] = x[i % 8];         // [local past]
    x[threadIdx.x] = local[threadIdx.x % 8];
}
__global__ void divide(int* x, int by) {
    x[threadIdx.x] = 7 / by;                                  // [divide]
}
__global__ void forever(volatile int* x) {
    while (x[0] == 0) { x[1] = x[1] + 1; }                    // [forever]
}
__device__ int deep(int n, int* x) {
    volatile char frame[1024];
    frame[n % 1024] = (char)n;
    return n == 0 ? x[0] : deep(n - 1, x) + frame[n % 1024];
}
__global__ void recursion(int* x, int n) { x[threadIdx.x] = deep(n, x); }

__global__ void asserts(int* x, int n) {
    assert(x[threadIdx.x] == 0 && "empty");                   // [assert]
    if (n) __trap();                                          // [trap]
}
__global__ void unaligned_bytes(const int8_t* x, int4* y) {
    __shared__ int8_t s[64];                                  // begins anywhere
    for (int i = 0; i < 16; ++i) s[threadIdx.x * 16 + i] = x[threadIdx.x * 16 + i];
    y[threadIdx.x] = *(const int4*)&s[threadIdx.x * 16];      // [not aligned]
}

extern "C" int run_strided(int width, const void* x, void* y, int stride, int offset) {
    if (width == 1) copy_strided<<<1, 32>>>((const int8_t*)x, (int8_t*)y, stride, offset);
    if (width == 2) copy_strided<<<1, 32>>>((const int16_t*)x, (int16_t*)y, stride, offset);
    if (width == 4) copy_strided<<<1, 32>>>((const int*)x, (int*)y, stride, offset);
    if (width == 8) copy_strided<<<1, 32>>>((const double*)x, (double*)y, stride, offset);
    return (int)cudaGetLastError();
}
extern "C" int run_pattern(int which, const void* x, void* y) {
    if (which == 0) same_word<<<1, 32>>>((const int*)x, (int*)y);
    if (which == 1) pieces_of_16<<<1, 32>>>((const int4*)x, (int4*)y);
    if (which == 2) half_a_warp<<<1, 32>>>((const int*)x, (int*)y);
    if (which == 3) wide_banks<<<1, 32>>>((int*)y);
    if (which == 4) bytes_in_words<<<1, 32>>>((const int8_t*)x, (int8_t*)y);
    if (which == 5) by_value<<<1, 32>>>((const Pair*)x, (Pair*)y);
    return (int)cudaGetLastError();
}
extern "C" int run_banks(int* y, int stride) {
    banks<<<1, 32>>>(y, stride);
    return (int)cudaGetLastError();
}
extern "C" int run_bounds(int which, float* x, float* y, int n) {
    if (which == 0) no_bounds_check<<<(n + 31) / 32, 32>>>(x);
    if (which == 1) read_past<<<1, 32>>>(x, y, n);
    if (which == 2) write_before<<<1, 32>>>(x);
    if (which == 3) shared_past<<<1, 32>>>((int*)x);
    if (which == 4) dynamic_past<<<1, 32, 32 * sizeof(int)>>>((int*)x);
    if (which == 5) never_written<<<1, 32>>>((int*)x);
    if (which == 6) misaligned<<<1, 4>>>((const int8_t*)x, (int4*)y);
    if (which == 7) wild<<<1, 32>>>((int*)x);
    if (which == 8) local_past<<<1, 1>>>((int*)x, n);
    if (which == 9) divide<<<1, 1>>>((int*)x, n);
    if (which == 10) forever<<<1, 1>>>((int*)x);
    if (which == 11) recursion<<<1, 1>>>((int*)x, n);
    if (which == 12) asserts<<<1, 32>>>((int*)x, n);
    if (which == 13) unaligned_bytes<<<1, 4>>>((const int8_t*)x, (int4*)y);
    return (int)cudaGetLastError();
}
