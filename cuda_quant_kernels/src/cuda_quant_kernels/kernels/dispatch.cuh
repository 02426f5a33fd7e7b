#pragma once
// Types are numbers at the C boundary. x_type: 0 fp32, 1 bf16. q_type: 0 int8, 1 E4M3, 2 E5M2.
#include "formats.cuh"

// Calls f(T{}, Q{}) with the two C++ types; returns the launch's cudaError_t.
template <class F> int dispatch_types(int x_type, int q_type, F&& f) {
    if (x_type == 0 && q_type == 0) f(float{}, int8_t{});
    else if (x_type == 0 && q_type == 1) f(float{}, E4M3{});
    else if (x_type == 0 && q_type == 2) f(float{}, E5M2{});
    else if (x_type == 1 && q_type == 0) f(__nv_bfloat16{}, int8_t{});
    else if (x_type == 1 && q_type == 1) f(__nv_bfloat16{}, E4M3{});
    else if (x_type == 1 && q_type == 2) f(__nv_bfloat16{}, E5M2{});
    else return (int)cudaErrorInvalidValue;
    return (int)cudaGetLastError();
}

constexpr int THREADS = 256;
inline unsigned blocks_for(long long threads) { return (unsigned)((threads + THREADS - 1) / THREADS); }
