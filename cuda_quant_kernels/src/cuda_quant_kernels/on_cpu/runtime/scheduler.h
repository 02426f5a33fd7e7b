// Runs a grid block by block, and a block's threads one at a time, each until it waits for others or ends. A warp is
// run until all its lanes wait for the block or have ended, then the next warp.
#pragma once
#include "block.h"
#include "faults.h"
#include "shared_memory.h"
#include "signals.h"
#include <algorithm>
#include <mutex>

namespace qk QK_HIDDEN {

inline std::vector<char*> idle_stacks;

inline void thread_main() {
    arrived(block.scheduler);
    block.body(block.argument);
    thread_ends();
    block.current->state = State::done;
    ++block.done;
    suspend();
    abort();   // a finished thread is never resumed
}

inline void resume(Thread& t) {
    if (!t.context.stack) {
        if (idle_stacks.empty()) idle_stacks.push_back(new_stack());
        prepare(t.context, idle_stacks.back(), thread_main);
        idle_stacks.pop_back();
    }
    here.thread = t.index;
    here.linear = t.linear;
    block.current = &t;
    switch_to(block.scheduler, t.context);
    block.current = nullptr;
    if (t.state == State::done) {
        idle_stacks.push_back(t.context.stack);
        t.context.stack = nullptr;
    }
}

inline std::string place(const Site* s) {
    std::string file = s->file;
    return file.substr(file.find_last_of('/') + 1) + ":" + std::to_string(s->line);
}

struct Warp {
    Thread* lane;
    unsigned first, size;
    unsigned in(State s) const {
        unsigned lanes = 0;
        for (unsigned l = 0; l < size; ++l) lanes |= (unsigned)(lane[l].state == s) << l;
        return lanes;
    }
};

// Releases every group of lanes that wait for each other and have all come. Lanes that have ended are not waited for.
inline bool release_groups(const Warp& w) {
    unsigned ended = w.in(State::done) | (w.size < 32 ? ~0u << w.size : 0u), waiting = w.in(State::at_warp_barrier);
    bool released = false;
    for (unsigned l = 0; l < w.size; ++l) {
        if (!(waiting >> l & 1)) continue;
        unsigned group = w.lane[l].mask & ~ended;
        if ((waiting & group) != group) continue;
        bool same = true;
        for (unsigned k = 0; k < w.size; ++k) same &= !(group >> k & 1) || w.lane[k].mask == w.lane[l].mask;
        if (!same) continue;
        for (unsigned k = 0; k < w.size; ++k) {
            if (!(group >> k & 1)) continue;
            Thread& t = w.lane[k];
            if (t.site != w.lane[l].site)
                note("divergent", t.site, 0, "lanes of one warp meet in different warp primitives: here and at " +
                     place(w.lane[l].site));
            t.state = State::ready;
            t.took_part = group;
            for (unsigned j = 0; j < w.size; ++j) t.receives[j] = w.lane[j].hands_in;
        }
        if (w.lane[l].orders_memory) trace_warp_barrier(w.first / 32, group);
        waiting &= ~group;
        released = true;
    }
    return released;
}

// __activemask: the lanes that reached the same place while no lane of the warp could run on.
inline bool release_active(const Warp& w) {
    unsigned asking = w.in(State::asks_who_is_active);
    for (unsigned l = 0; l < w.size; ++l) {
        if (!(asking >> l & 1)) continue;
        unsigned together = 0;
        for (unsigned k = 0; k < w.size; ++k)
            together |= (unsigned)((asking >> k & 1) && w.lane[k].site == w.lane[l].site) << k;
        for (unsigned k = 0; k < w.size; ++k)
            if (together >> k & 1) w.lane[k].state = State::ready, w.lane[k].took_part = together;
        return true;
    }
    return false;
}

inline bool run_warp(const Warp& w, std::mt19937& random) {
    unsigned sequence[32];
    bool progress = false;
    for (;;) {
        for (unsigned l = 0; l < w.size; ++l) sequence[l] = order.kind == Order::descending ? w.size - 1 - l : l;
        if (order.kind == Order::shuffled) std::shuffle(sequence, sequence + w.size, random);
        bool ran = false;
        for (unsigned i = 0; i < w.size; ++i) {
            if (w.lane[sequence[i]].state != State::ready) continue;
            resume(w.lane[sequence[i]]);
            if (block.aborted) return true;
            ran = true;
        }
        progress |= ran;
        if (!release_groups(w) && !release_active(w) && !ran) return progress;
    }
}

inline bool explain_deadlock() {
    for (const Thread& t : block.threads) {
        if (t.state != State::at_warp_barrier) continue;
        unsigned first = t.linear / 32 * 32, missing = t.mask;
        for (unsigned l = 0; l < 32 && first + l < block.threads.size(); ++l) {
            const Thread& other = block.threads[first + l];
            if (other.state == State::done || (other.state == State::at_warp_barrier && other.mask == t.mask))
                missing &= ~(1u << l);
        }
        if (first + 32 > block.threads.size()) missing &= ~(~0u << (block.threads.size() - first));
        note("deadlock", t.site, 0, print("lane %u waits with mask 0x%08x for lanes 0x%08x, which never come here",
                                          t.linear % 32, t.mask, missing));
        return true;
    }
    return false;
}

// All threads that have not ended wait at __syncthreads: lets them go on, if they wait at one and the same.
inline bool release_block() {
    const Site* site = nullptr;
    unsigned waiting = 0;
    for (const Thread& t : block.threads) {
        if (t.state != State::at_block_barrier) continue;
        ++waiting;
        if (site && site != t.site) {
            note("divergent", t.site, 0, "threads of one block wait at different barriers: here and at " + place(site));
            return false;
        }
        site = t.site;
    }
    if (!waiting || waiting + block.done < block.threads.size()) {
        if (!explain_deadlock())
            note("divergent", site, 0, print("%u threads wait at this barrier, which the others never reach", waiting));
        return false;
    }
    if (block.done) {
        note("divergent", site, 0, print("%u threads wait at this barrier, which %u that have returned never reach",
                                         waiting, block.done));
        return false;
    }
    block.votes = 0;
    for (const Thread& t : block.threads) block.votes += t.vote;
    for (Thread& t : block.threads) t.state = State::ready, t.took_part = (unsigned)block.votes;
    trace_block_barrier();
    return true;
}

inline void start_block(unsigned n, uint64_t number) {
    const dim3 &g = here.grid_dim, &b = here.block_dim;
    here.block = {(unsigned)(number % g.x), (unsigned)(number / g.x % g.y), (unsigned)(number / g.x / g.y)};
    block.done = 0;
    ++blocks_started;
    for (unsigned i = 0; i < n; ++i) {
        Thread& t = block.threads[i];
        t.index = {i % b.x, i / b.x % b.y, i / b.x / b.y};
        t.linear = i;
        t.state = State::ready;
        t.vote = 0;
    }
    fill_shared_with_garbage();
    trace_block_begins();
}

inline void run_block(uint64_t number) {
    unsigned n = threads_in(here.block_dim), warps = (n + 31) / 32;
    start_block(n, number);
    std::mt19937 random(order.seed * 7919u + (unsigned)number);
    std::vector<unsigned> sequence(warps);
    for (unsigned w = 0; w < warps; ++w) sequence[w] = order.kind == Order::descending ? warps - 1 - w : w;
    while (block.done < n) {
        if (order.kind == Order::shuffled) std::shuffle(sequence.begin(), sequence.end(), random);
        bool progress = false;
        for (unsigned w : sequence) {
            progress |= run_warp(Warp{&block.threads[w * 32], w * 32, std::min(32u, n - w * 32)}, random);
            if (block.aborted) return;
        }
        if (block.done < n && !progress && !release_block()) {
            block.aborted = true;
            return;
        }
    }
    block_ends();
    trace_block_ends();
}

}  // namespace qk
