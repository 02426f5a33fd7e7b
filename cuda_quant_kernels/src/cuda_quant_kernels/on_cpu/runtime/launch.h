// A launch: is the shape one that a GPU takes, then block after block.
#pragma once
#include "scheduler.h"

namespace qk QK_HIDDEN {

Here here{};

constexpr unsigned long dynamic_bytes_by_default = 48 << 10, dynamic_bytes_at_most = 227 << 10;   // Hopper's limit
inline unsigned long dynamic_bytes_allowed = dynamic_bytes_by_default;   // cudaFuncSetAttribute raises it

inline std::string refusal(const Shape& s) {
    const dim3 &g = s.grid, &b = s.block;
    if (!g.x || !g.y || !g.z) return print("the grid is %u x %u x %u: it has no block", g.x, g.y, g.z);
    if (g.x > 0x7fffffffu || g.y > 65535 || g.z > 65535)
        return print("the grid is %u x %u x %u: at most 2147483647 x 65535 x 65535", g.x, g.y, g.z);
    uint64_t n = (uint64_t)b.x * b.y * b.z;
    if (!n || n > 1024 || b.z > 64)
        return print("a block of %u x %u x %u threads: it takes 1 to 1024, and 64 in z", b.x, b.y, b.z);
    if (s.dynamic_bytes > dynamic_bytes_allowed)
        return print("%lu bytes of dynamic shared memory: at most %lu, and over 49152 only after cudaFuncSetAttribute",
                     s.dynamic_bytes, dynamic_bytes_allowed);
    return "";
}

inline void forget_threads() {   // an aborted launch leaves fibers in the middle of the kernel
    for (Thread& t : block.threads)
        if (t.context.stack) idle_stacks.push_back(t.context.stack), t.context.stack = nullptr;
}

void run_grid(const Site* site, const Shape& shape, void (*body)(void*), void* argument) {
    static std::mutex one_at_a_time;
    std::lock_guard<std::mutex> lock(one_at_a_time);
    std::string why = refusal(shape);
    if (!why.empty()) {
        note("launch", site, 0, why);
        last_error = cudaErrorInvalidConfiguration;
        return;
    }
    if (last_error == cudaErrorLaunchFailure) return;   // as on a GPU, nothing runs after a fault
    block.threads.resize(threads_in(shape.block));
    block.body = body;
    block.argument = argument;
    block.aborted = false;
    here.grid_dim = shape.grid;
    here.block_dim = shape.block;
    ++here.launch;
    begin_shared(shape.dynamic_bytes);
    trace_launch();
    {
        SignalGuard guard;
        if (sigsetjmp(block.out, 1) == 0) {
            uint64_t blocks = (uint64_t)shape.grid.x * shape.grid.y * shape.grid.z;
            for (uint64_t i = 0; i < blocks && !block.aborted; ++i) run_block(i);
        }
    }
    block.current = nullptr;
    forget_threads();
    if (block.aborted) last_error = cudaErrorLaunchFailure;
}

void fault(const char* kind, const Site* site, const char* format, ...) {
    va_list list;
    va_start(list, format);
    note(kind, site, 0, vformat(format, list));
    va_end(list);
}

[[noreturn]] void leave_kernel() {
    block.aborted = true;
    suspend();
    abort();
}

[[noreturn]] void fatal(const char* kind, const Site* site, const char* format, ...) {
    va_list list;
    va_start(list, format);
    note(kind, site, 0, vformat(format, list));
    va_end(list);
    leave_kernel();
}

// ---- what a kernel's thread calls

static void wait(State state, const Site* site, unsigned mask = 0) {
    if (time_is_up) fatal("timeout", site, "%s", timeout_message().c_str());
    Thread* t = block.current;
    t->state = state;
    t->site = site;
    t->mask = mask;
    suspend();
}

void block_barrier(const Site* site) { wait(State::at_block_barrier, site); }

unsigned block_vote(const Site* site, int predicate) {
    block.current->vote = predicate;
    wait(State::at_block_barrier, site);
    block.current->vote = 0;
    return block.current->took_part;
}

static void meet(const Site* site, unsigned mask, bool orders_memory) {
    if (!(mask >> (here.linear & 31) & 1))
        fatal("shuffle", site, "lane %u is not in its own mask 0x%08x", here.linear & 31, mask);
    block.current->orders_memory = orders_memory;
    wait(State::at_warp_barrier, site, mask);
}

const uint64_t* warp_exchange(const Site* site, unsigned mask, uint64_t mine) {
    block.current->hands_in = mine;
    meet(site, mask, false);
    return block.current->receives;
}

void warp_barrier(const Site* site, unsigned mask) { meet(site, mask, true); }

unsigned exchange_lanes() { return block.current->took_part; }

unsigned active_lanes(const Site* site) {
    wait(State::asks_who_is_active, site);
    return block.current->took_part;
}

void yield() { suspend(); }   // still ready

}  // namespace qk

extern "C" __attribute__((visibility("default"))) void qk_set_order(int kind, unsigned seed) {
    qk::order = {kind == 0 ? qk::Order::ascending : kind == 1 ? qk::Order::descending : qk::Order::shuffled, seed};
}
