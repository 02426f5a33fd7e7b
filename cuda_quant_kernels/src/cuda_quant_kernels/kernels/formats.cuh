#pragma once
// The number formats: what is read (fp32, bf16), what is written (int8, E4M3, E5M2), and the conversions.
// Every conversion rounds to nearest even and saturates. int8 stops at -127, so that -q exists for every q.
#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>

constexpr float SMALLEST_NORMAL = 1.17549435e-38f;

struct E4M3 { uint8_t bits; };   // 4 exponent bits, 3 mantissa bits: largest value 448, no infinity
struct E5M2 { uint8_t bits; };   // 5 exponent bits, 2 mantissa bits: largest finite value 57344

template <class Q> struct Format;
template <> struct Format<int8_t> {
    static constexpr float max_value = 127.0f;
    static __device__ __forceinline__ int8_t encode(float y) {
        return (int8_t)max(-127, min(127, __float2int_rn(y)));   // __float2int_rn saturates to int32
    }
    static __device__ __forceinline__ float decode(int8_t q) { return (float)q; }
};
template <> struct Format<E4M3> {
    static constexpr float max_value = 448.0f;
    static __device__ __forceinline__ E4M3 encode(float y) {
        return {(uint8_t)__nv_cvt_float_to_fp8(y, __NV_SATFINITE, __NV_E4M3)};
    }
    static __device__ __forceinline__ float decode(E4M3 q) {
        __nv_fp8_e4m3 v;
        v.__x = q.bits;
        return (float)v;
    }
};
template <> struct Format<E5M2> {
    static constexpr float max_value = 57344.0f;
    static __device__ __forceinline__ E5M2 encode(float y) {
        return {(uint8_t)__nv_cvt_float_to_fp8(y, __NV_SATFINITE, __NV_E5M2)};
    }
    static __device__ __forceinline__ float decode(E5M2 q) {
        __nv_fp8_e5m2 v;
        v.__x = q.bits;
        return (float)v;
    }
};

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }
template <class T> __device__ __forceinline__ T from_float(float x);
template <> __device__ __forceinline__ float from_float<float>(float x) { return x; }
template <> __device__ __forceinline__ __nv_bfloat16 from_float<__nv_bfloat16>(float x) { return __float2bfloat16(x); }

// The scale that maps the largest magnitude to the largest code. `absmax_bits` are that magnitude's bits (warp.cuh).
//   all zeros     1, so that a later division by the scale is safe
//   subnormals    the smallest normal number, because its reciprocal is still finite
//   NaN           NaN: the comparison keeps it, fmaxf would drop it
template <class Q> __device__ __forceinline__ float scale_from_absmax(int absmax_bits) {
    if (absmax_bits == 0) return 1.0f;
    float scale = __int_as_float(absmax_bits) / Format<Q>::max_value;
    return scale < SMALLEST_NORMAL ? SMALLEST_NORMAL : scale;
}
