// Hopper's wgmma: four neighbouring warps, a warpgroup, multiply two tiles that lie in shared memory, and go on while the
// tensor cores work. Under the same names on a GPU (inline PTX, here) and on a CPU (emulated, in cudacpu/warpgroup.h).
// PTX manual, "Asynchronous warpgroup level matrix instructions"; on a GPU it exists under sm_90a alone.
//
//     fence_async_proxy()          after ordinary stores or cp.async to a tile, before the barrier: tensor cores read
//                                  shared memory by a way of their own (the async proxy), which has its own order
//     wgmma_fence()                before the first product, and whenever the accumulators have been touched since
//     wgmma_m64n...k32_s8(d, a, b, accumulate)         issues d = a b^T, or d += a b^T; d is not to be touched until ...
//     wgmma_commit()               closes a group of products
//     wgmma_wait<N>()              waits until at most N groups are under way
#pragma once
#include <cstdint>
#include <cuda_runtime.h>
#include "ptx.cuh"

#if defined(QK_ON_CPU) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define HAS_WGMMA 1

// Where a tile lies: rows of 32 bytes along k, cut into chunks of 16. In shared memory its rows are SWIZZLE bytes long
// (128, 64 or 32) and `stride` bytes lead from 8 rows to the next 8; chunk c of the row at address r lies at
// c ^ (r / 128 % (SWIZZLE / 16)), counted from the row's first chunk, which is why a pattern of 8 rows begins at a
// multiple of its size. SWIZZLE 16 is the plain form: 8 rows of one chunk are 128 bytes in a row, and `leading` bytes
// lead from a chunk to its right neighbour. To go on along k within a row, add to the address.
template <int SWIZZLE = 128>
__device__ __forceinline__ uint64_t wgmma_descriptor(const void* tile, int stride = 8 * SWIZZLE, int leading = 16) {
    static_assert(SWIZZLE == 128 || SWIZZLE == 64 || SWIZZLE == 32 || SWIZZLE == 16, "128, 64, 32, or 16 for none");
    constexpr uint64_t mode = SWIZZLE == 128 ? 1 : SWIZZLE == 64 ? 2 : SWIZZLE == 32 ? 3 : 0;
    uint64_t address = (uint64_t)__cvta_generic_to_shared(tile) & 0x3ffff;
    return address >> 4 | (uint64_t)(leading >> 4) << 16 | (uint64_t)(stride >> 4) << 32 | mode << 62;
}
#endif

#if defined(__CUDA_ARCH_FEAT_SM90_ALL) && !defined(QK_ON_CPU)
QK_PTX void fence_async_proxy() { asm volatile("fence.proxy.async.shared::cta;\n" ::: "memory"); }
QK_PTX void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;\n" ::: "memory"); }
QK_PTX void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;\n" ::: "memory"); }
template <int groups> QK_PTX void wgmma_wait() {
    asm volatile("wgmma.wait_group.sync.aligned %0;\n" ::"n"(groups) : "memory");
}

// Thread t of the warpgroup holds rows 16 (t / 32) + t % 32 / 4 and 8 below; d[4i], d[4i + 1] are columns 8i + 2 (t % 4)
// and the next of the first row, d[4i + 2], d[4i + 3] of the second.
#define QK_WGMMA(columns, registers, a, b, accumulate, ...)                                                             \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " accumulate ", 0;\n"                                                \
                 "wgmma.mma_async.sync.aligned.m64n" columns "k32.s32.s8.s8 {" registers "}, " a ", " b ", p;\n}\n"     \
                 : __VA_ARGS__ : "l"(tile_a), "l"(tile_b), "r"((int)add))
#define QK_4(i) "+r"(d[i]), "+r"(d[i + 1]), "+r"(d[i + 2]), "+r"(d[i + 3])
#define QK_32(i) QK_4(i), QK_4(i + 4), QK_4(i + 8), QK_4(i + 12), QK_4(i + 16), QK_4(i + 20), QK_4(i + 24), QK_4(i + 28)

QK_PTX void wgmma_m64n8k32_s8(int (&d)[4], uint64_t tile_a, uint64_t tile_b, bool add) {
    QK_WGMMA("8", "%0, %1, %2, %3", "%4", "%5", "%6", QK_4(0));
}
QK_PTX void wgmma_m64n256k32_s8(int (&d)[128], uint64_t tile_a, uint64_t tile_b, bool add) {
    QK_WGMMA("256",
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
        "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
        "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "
        "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "
        "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "
        "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, "
        "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127",
        "%128", "%129", "%130", QK_32(0), QK_32(32), QK_32(64), QK_32(96));
}
#endif
