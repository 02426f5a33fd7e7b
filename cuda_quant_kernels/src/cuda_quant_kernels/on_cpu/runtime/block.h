// The state of the block that runs: its threads, and what each of them waits for.
#pragma once
#include "fiber.h"
#include <setjmp.h>
#include <random>
#include <vector>

namespace qk QK_HIDDEN {

enum class State : uint8_t { ready, at_block_barrier, at_warp_barrier, asks_who_is_active, done };

struct Thread {
    Context context;
    uint3 index;
    unsigned linear;
    State state;
    const Site* site;          // where it waits
    unsigned mask;             // for whom, of its warp
    bool orders_memory;        // __syncwarp does, shuffles and votes do not
    uint64_t hands_in;         // what it gives to a warp exchange ...
    uint64_t receives[32];     // ... and what all lanes gave, copied when the exchange was complete
    unsigned took_part;
    int vote;
};

struct Block {
    std::vector<Thread> threads;
    unsigned done = 0;
    Context scheduler;
    Thread* current = nullptr;
    void (*body)(void*) = nullptr;
    void* argument = nullptr;
    bool aborted = false;
    int votes = 0;
    sigjmp_buf out;            // from a signal handler back to the scheduler
};
inline Block block;
inline uint64_t blocks_started = 0;   // of all launches
inline bool in_kernel() { return block.current != nullptr; }
inline unsigned threads_in(const dim3& d) { return d.x * d.y * d.z; }

// In which order ready threads run. A right kernel gives the same result in all; a racing one rarely does.
struct Order {
    enum Kind { ascending, descending, shuffled } kind = ascending;
    unsigned seed = 0;
};
inline Order order;

// What the tracer wants to know of the scheduler; nothing in the other builds.
#ifdef QK_TRACE
void trace_launch();
void trace_block_begins();
void trace_block_barrier();
void trace_warp_barrier(unsigned warp, unsigned mask);
void trace_block_ends();
void trace_allocation(void* p, size_t bytes);
#else
inline void trace_launch() {}
inline void trace_block_begins() {}
inline void trace_block_barrier() {}
inline void trace_warp_barrier(unsigned, unsigned) {}
inline void trace_block_ends() {}
inline void trace_allocation(void*, size_t) {}
#endif

void thread_ends();                    // has it, or has the block, left a product of wgmma behind?
void block_ends();

[[noreturn]] void leave_kernel();      // ends the launch: no thread of it is resumed

// Gives the processor back to the scheduler, in the state that the caller has set.
inline void suspend() {
    Thread* t = block.current;
    switch_to(t->context, block.scheduler, t->state == State::done);
}

}  // namespace qk
