// CUDA C++ on a CPU: the one header that build.py force-includes before a rewritten .cu file.
//
// It takes NVIDIA's own headers for the types (int4, dim3, __half, __nv_fp8_e4m3, ...) and gives a meaning on a CPU to
// everything that NVIDIA's compiler would have known by itself. Read in this order:
//   casts.h         (int)x saturates
//   keywords.h      __global__ and its like, and what instrumentation must leave alone
//   thread.h        threadIdx and its like, __syncthreads, what the runtime offers
//   shared.h        __shared__ and extern __shared__
//   launch.h        <<<grid, block, bytes, stream>>>
//   warp.h          shuffles, votes, reductions, __syncwarp
//   arithmetic.h    dp4a, conversions, bit tricks
//   atomics.h       atomicAdd and its like
//   async_copy.h    cp.async: bytes land at the wait, not before
//   tensor_core.h   mma.sync and ldmatrix
//   warpgroup.h     wgmma: a warpgroup's products end at the wait, not before
#pragma once
#define QK_ON_CPU 1
#include "cudacpu/casts.h"
#include "cudacpu/keywords.h"
#include "cudacpu/thread.h"
#include "cudacpu/shared.h"
#include "cudacpu/launch.h"
#include "cudacpu/warp.h"
#include "cudacpu/arithmetic.h"
#include "cudacpu/atomics.h"
#include "cudacpu/async_copy.h"
#include "cudacpu/tensor_core.h"
#include "cudacpu/warpgroup.h"
