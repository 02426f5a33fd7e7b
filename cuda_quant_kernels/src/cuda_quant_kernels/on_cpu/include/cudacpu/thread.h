// One CUDA thread as its kernel sees it: where it is, and the block barrier. Defined in runtime/.
#pragma once
#include <stdint.h>

namespace qk QK_HIDDEN {

struct Site { const char* file; int line; };   // a place in the .cu file, for messages

struct Here {                // the CUDA thread that runs at this moment; the scheduler rewrites it at every switch
    uint3 thread, block;
    dim3 block_dim, grid_dim;
    unsigned linear;         // the thread's number in its block, x fastest
    unsigned launch;         // counts launches, so that shared variables know when they are stale
};
extern Here here;

enum Access { LOAD = 0, STORE = 1, ATOMIC = 2, ASYNC = 3, TENSOR = 4 };   // the last: a tile read by wgmma

void block_barrier(const Site* site);
unsigned block_vote(const Site* site, int predicate);             // how many threads of the block said yes
const uint64_t* warp_exchange(const Site* site, unsigned mask, uint64_t mine);   // every lane's value, after all came
unsigned exchange_lanes();                                         // which lanes took part in the last exchange
void warp_barrier(const Site* site, unsigned mask);
unsigned active_lanes(const Site* site);
void yield();                                                      // let others run: a spin lock would never end
void fault(const char* kind, const Site* site, const char* format, ...);   // noted; the kernel goes on
[[noreturn]] void fatal(const char* kind, const Site* site, const char* format, ...);   // the launch ends here
#ifdef QK_TRACE
void traced(const void* address, unsigned bytes, Access access, const void* pc, bool aligned = true);
#else
inline void traced(const void*, unsigned, Access, const void*, bool = true) {}
#endif

QK_UNTRACED inline uint3 thread_index() { return here.thread; }   // by value: reading them is no memory access
QK_UNTRACED inline uint3 block_index() { return here.block; }
QK_UNTRACED inline uint3 block_size() { return {here.block_dim.x, here.block_dim.y, here.block_dim.z}; }
QK_UNTRACED inline uint3 grid_size() { return {here.grid_dim.x, here.grid_dim.y, here.grid_dim.z}; }
QK_UNTRACED inline unsigned lane() { return here.linear & 31; }

}  // namespace qk

// A static object per place in the source: a place keeps its identity when the compiler unrolls or clones the code.
#define QK_SITE ([]() -> const ::qk::Site* { static const ::qk::Site site{__FILE__, __LINE__}; return &site; }())

#define threadIdx (::qk::thread_index())
#define blockIdx (::qk::block_index())
#define blockDim (::qk::block_size())
#define gridDim (::qk::grid_size())
#define warpSize 32
#define __syncthreads() ::qk::block_barrier(QK_SITE)
#define __syncthreads_count(p) ((int)::qk::block_vote(QK_SITE, (p) != 0))
#define __syncthreads_or(p) ((int)(::qk::block_vote(QK_SITE, (p) != 0) != 0))
#define __syncthreads_and(p) ((int)(::qk::block_vote(QK_SITE, (p) == 0) == 0))
inline void __threadfence() {}          // one CUDA thread runs at a time: memory is always in order
inline void __threadfence_block() {}
inline void __threadfence_system() {}
[[noreturn]] inline void __trap() { __builtin_trap(); }
inline void __nanosleep(unsigned) { ::qk::yield(); }
