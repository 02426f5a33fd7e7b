// Device arithmetic that NVIDIA's headers leave to the compiler. Rounding as the PTX manual gives it; the fast
// approximations (__expf, __fdividef, rsqrtf) are exact here, and no multiply-add is contracted into an fma unless the
// source says fmaf, where nvcc would: results may differ from a GPU's in the last bit.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <algorithm>
#include <type_traits>
using std::abs; using std::isinf; using std::isnan; using std::max; using std::min;

namespace qk QK_HIDDEN {
template <class To, class From> QK_UNTRACED inline To bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "same size");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
template <class To> QK_UNTRACED inline To saturating(double x) {     // NaN gives 0, what is too large the limit
    if (x != x) return 0;
    if (x <= (double)std::numeric_limits<To>::min()) return std::numeric_limits<To>::min();
    if (x >= (double)std::numeric_limits<To>::max()) return std::numeric_limits<To>::max();
    return (To)x;
}
template <class A, class B> using Mixed = std::enable_if_t<!std::is_same<A, B>::value, std::common_type_t<A, B>>;
}  // namespace qk

// CUDA's min and max take operands of two types; std's do not.
template <class A, class B> inline qk::Mixed<A, B> max(A a, B b) { return a > b ? a : b; }
template <class A, class B> inline qk::Mixed<A, B> min(A a, B b) { return a < b ? a : b; }

inline unsigned and_or(unsigned x, unsigned mask, unsigned bits) { return (x & mask) | bits; }   // of ptx.cuh
inline int __dp4a(int a, int b, int c) {
    for (int i = 0; i < 32; i += 8) c = (int)((unsigned)c + (unsigned)((int)(int8_t)(a >> i) * (int)(int8_t)(b >> i)));
    return c;
}
inline unsigned __dp4a(unsigned a, unsigned b, unsigned c) {
    for (int i = 0; i < 32; i += 8) c += (unsigned)(uint8_t)(a >> i) * (unsigned)(uint8_t)(b >> i);
    return c;
}
inline int __dp4a(char4 a, char4 b, int c) { return c + a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }
inline unsigned __dp4a(uchar4 a, uchar4 b, unsigned c) { return c + a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }

inline int __float2int_rn(float x) { return qk::saturating<int>(std::nearbyint((double)x)); }   // nearest, ties to even
inline int __float2int_rz(float x) { return qk::saturating<int>(std::trunc((double)x)); }
inline int __float2int_rd(float x) { return qk::saturating<int>(std::floor((double)x)); }
inline int __float2int_ru(float x) { return qk::saturating<int>(std::ceil((double)x)); }
inline unsigned __float2uint_rn(float x) { return qk::saturating<unsigned>(std::nearbyint((double)x)); }
inline unsigned __float2uint_rz(float x) { return qk::saturating<unsigned>(std::trunc((double)x)); }
inline int __double2int_rn(double x) { return qk::saturating<int>(std::nearbyint(x)); }
inline float __int2float_rn(int x) { return (float)x; }
inline float __uint2float_rn(unsigned x) { return (float)x; }
inline int __float_as_int(float x) { return qk::bits<int>(x); }
inline float __int_as_float(int x) { return qk::bits<float>(x); }
inline unsigned __float_as_uint(float x) { return qk::bits<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return qk::bits<float>(x); }

inline unsigned __vmaxu2(unsigned a, unsigned b) {                   // the larger of each pair of 16-bit halves
    return max(a >> 16, b >> 16) << 16 | max(a & 0xffff, b & 0xffff);
}
// a b + c of fp16 or bf16, rounded once; with 2, of both halves of a pair.
template <class H> inline H __hfma(H a, H b, H c) {
    return H(std::fma((double)(float)a, (double)(float)b, (double)(float)c));
}
template <class H2> inline H2 __hfma2(H2 a, H2 b, H2 c) {
    a.x = __hfma(a.x, b.x, c.x), a.y = __hfma(a.y, b.y, c.y);
    return a;
}

inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __powf(float x, float y) { return std::pow(x, y); }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1) : 0; }    // NaN gives 0

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __mulhi(int a, int b) { return (int)((int64_t)a * b >> 32); }
inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((uint64_t)a * b >> 32); }
inline unsigned __brev(unsigned x) {
    unsigned r = 0;
    for (int i = 0; i < 32; ++i) r |= (x >> i & 1) << (31 - i);
    return r;
}
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
    uint64_t both = (uint64_t)y << 32 | x;
    unsigned r = 0;
    for (int i = 0; i < 4; ++i) r |= (unsigned)(both >> 8 * (selector >> 4 * i & 7) & 255) << 8 * i;
    return r;
}
inline unsigned __funnelshift_r(unsigned lo, unsigned hi, unsigned n) {
    return (unsigned)(((uint64_t)hi << 32 | lo) >> (n & 31));
}
inline unsigned __funnelshift_l(unsigned lo, unsigned hi, unsigned n) {
    return (unsigned)(((uint64_t)hi << 32 | lo) << (n & 31) >> 32);
}

// Loads and stores with a cache hint are loads and stores; the tracer is told of them at the caller's line.
template <class T> QK_CALLED T qk_load(const T* p) {
    qk::traced(p, sizeof(T), qk::LOAD, __builtin_return_address(0));
    return *p;
}
template <class T, class V> QK_CALLED void qk_store(T* p, V v) {
    qk::traced(p, sizeof(T), qk::STORE, __builtin_return_address(0));
    *p = v;
}
#define __ldg(p) qk_load(p)
#define __ldcs(p) qk_load(p)
#define __ldcg(p) qk_load(p)
#define __ldca(p) qk_load(p)
#define __stcs(p, v) qk_store(p, v)
#define __stcg(p, v) qk_store(p, v)
#define __stwt(p, v) qk_store(p, v)
