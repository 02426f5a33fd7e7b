#pragma once
// Vectorized memory access: N neighbouring values of a thread in as few instructions as possible, at most 16 bytes each.
#include "formats.cuh"
#include "warp.cuh"

constexpr int VECTOR = 8;        // elements a thread where rows allow it: 16 bytes of bf16

template <class T, int N> struct alignas(sizeof(T) * N) Pack { T v[N]; };

template <class T, int N> __device__ __forceinline__ Pack<T, N> load_pack(const T* p) {
    Pack<T, N> pack;
    if constexpr (sizeof(pack) == 32) {      // fp32: two accesses of 16 bytes
        reinterpret_cast<int4*>(&pack)[0] = reinterpret_cast<const int4*>(p)[0];
        reinterpret_cast<int4*>(&pack)[1] = reinterpret_cast<const int4*>(p)[1];
    } else if constexpr (sizeof(pack) == 16) {
        reinterpret_cast<int4&>(pack) = *reinterpret_cast<const int4*>(p);
    } else {
        pack = *reinterpret_cast<const Pack<T, N>*>(p);
    }
    return pack;
}

template <class T, int N> __device__ __forceinline__ void to_floats(const Pack<T, N>& pack, float (&x)[N]) {
#pragma unroll
    for (int i = 0; i < N; ++i) x[i] = to_float(pack.v[i]);
}

template <class T, int N> __device__ __forceinline__ void load(const T* p, float (&x)[N]) {
    to_floats(load_pack<T, N>(p), x);
}

template <class T, int N> __device__ __forceinline__ void store(T* p, Pack<T, N> pack) {
    if constexpr (sizeof(pack) == 32) {
        reinterpret_cast<int4*>(p)[0] = reinterpret_cast<int4*>(&pack)[0];
        reinterpret_cast<int4*>(p)[1] = reinterpret_cast<int4*>(&pack)[1];
    } else if constexpr (sizeof(pack) == 16) {
        *reinterpret_cast<int4*>(p) = reinterpret_cast<int4&>(pack);
    } else if constexpr (sizeof(pack) == 8) {
        *reinterpret_cast<int2*>(p) = reinterpret_cast<int2&>(pack);
    } else {
        *reinterpret_cast<Pack<T, N>*>(p) = pack;
    }
}

template <class Q, int N> __device__ __forceinline__ void quantize_and_store(Q* q, const float (&x)[N], float inverse) {
    Pack<Q, N> pack;
#pragma unroll
    for (int i = 0; i < N; ++i) pack.v[i] = Format<Q>::encode(x[i] * inverse);
    store<Q, N>(q, pack);
}

template <int N> __device__ __forceinline__ int absmax_bits(const float (&x)[N]) {
    int m = 0;
#pragma unroll
    for (int i = 0; i < N; ++i) m = max(m, abs_bits(x[i]));
    return m;
}

// The same of values as they were loaded, before any is converted. bf16 is the upper half of a float, and its bits order
// in the same way, so a word of two is compared at once.
template <int N> __device__ __forceinline__ int absmax_bits(const Pack<float, N>& pack) { return absmax_bits(pack.v); }
template <int N> __device__ __forceinline__ int absmax_bits(const Pack<__nv_bfloat16, N>& pack) {
    const unsigned* two = reinterpret_cast<const unsigned*>(&pack);
    unsigned m = 0;
#pragma unroll
    for (int i = 0; i < N / 2; ++i) m = __vmaxu2(m, two[i] & 0x7fff7fff);
    return (int)(max(m >> 16, m & 0xffff) << 16);
}
