// The words that a C++ compiler does not know, and the three marks that the emulator puts on its own functions.
#pragma once
#include <cuda_runtime.h>   // NVIDIA's header; without nvcc it gives types and host API, and no device functions

#undef __global__
#undef __device__
#undef __host__
#undef __constant__
#undef __shared__
#undef __managed__
#undef __launch_bounds__
#undef __grid_constant__
// A kernel stays a function of its own, with its own lines, and what it calls becomes part of it: the compiler's
// instrumentation would not see an array element that is passed to a function, as in __half2float(x[i]).
#define __global__ __attribute__((noinline, flatten))
#define __device__
#define __host__
#define __constant__
#define __managed__
#define __launch_bounds__(...)
#define __grid_constant__
// __shared__ stays undefined: rewrite.py turns every declaration that carries it into a call of qk::shared.

// The tracer is the compiler's own -fsanitize=thread instrumentation with other functions behind its hooks. The
// emulator's functions run inside kernels without being part of them, so they are left out of it.
#if defined(__clang__)
#define QK_UNTRACED __attribute__((no_sanitize("thread")))
#else
#define QK_UNTRACED __attribute__((no_sanitize_thread))
#endif
// A function that reports an access made on the kernel's behalf: its return address is then the kernel's line.
#define QK_CALLED __attribute__((noinline)) QK_UNTRACED
#define QK_HIDDEN __attribute__((visibility("hidden")))   // several libraries in one process never share a runtime
