// A header with CUDA syntax of its own: it is rewritten like the source that includes it.
#pragma once
template <int N> __global__ void header_reverse(const int* x, int* y) {
    __shared__ int s[N];
    s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = s[N - 1 - threadIdx.x];
}
