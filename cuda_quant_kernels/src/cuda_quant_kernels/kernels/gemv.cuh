#pragma once
// The arguments of all versions of the product with four-bit weights:
//
//     y[m,n] = sum_k x[m,k] * (q[n,k] - 8) * s[n, k/128]         fp16 in and out, fp32 sums
//
// A 32-bit word holds eight weights, the lowest bits first; 128 weights of a row share a scale. K must be a multiple of
// 128. N is free, M is 1 to 16.
#include <cstdint>
#include <cuda_fp16.h>
#include "ptx.cuh"
#include "warp.cuh"

struct Gemv { const uint32_t* w; const __half *s, *x; __half* y; int m, n, k; };
