// Which accesses come before the present one, whatever the schedule: a clock for each thread, as in FastTrack.
//
//     thread 0   store x (clock 1) ──┐ __syncthreads ┌── clock 2
//     thread 1   clock 1 ────────────┘               └── load x: passed_by_all is 2, the store's clock is 1: in order
//
// Each access is stamped with its thread's clock. A barrier starts a new clock, and records for each thread up to which
// clock the others' accesses are past: one number for the barrier of the block, one for each lane after __syncwarp.
//     __syncthreads orders the block's threads, __syncwarp the lanes of its mask; nothing orders two blocks.
//     Shuffles and votes order no memory. Two atomics never race.
#pragma once
#include "accesses.h"

namespace qk QK_HIDDEN {

inline uint32_t now = 1;                    // one tick for every barrier
inline uint32_t passed_by_all = 1;          // accesses with a smaller clock lie before the last block barrier
inline uint32_t clock_of[1024];             // of each thread
inline uint32_t passed[1024][32];           // [thread][lane of its warp]: accesses with a smaller clock lie in the past
inline uint64_t first_run_of_launch = 0;

// A block barrier.
inline void clocks_meet_all() {
    passed_by_all = ++now;
    for (uint32_t& c : clock_of) c = now;
}
inline void clocks_start() {
    clocks_meet_all();
    memset(passed, 0, sizeof passed);
}
// __syncwarp(lanes): each of the lanes learns what any of them knew.
inline void clocks_meet(unsigned warp, unsigned lanes) {
    uint32_t joined[32] = {};
    for (unsigned l = 0; l < 32; ++l) {
        if (!(lanes >> l & 1)) continue;
        unsigned t = warp * 32 + l;
        passed[t][l] = clock_of[t] + 1;
        for (unsigned k = 0; k < 32; ++k) joined[k] = std::max(joined[k], passed[t][k]);
    }
    ++now;
    for (unsigned l = 0; l < 32; ++l) {
        if (!(lanes >> l & 1)) continue;
        memcpy(passed[warp * 32 + l], joined, sizeof joined);
        clock_of[warp * 32 + l] = now;
    }
}

// Does the stamped access come before what the running thread does now?
inline bool ordered(const Stamp& s, bool shared) {
    if (s.run < first_run_of_launch || s.run == 0) return true;
    if (s.run != (uint32_t)blocks_started) return shared;   // another block's shared memory is another memory
    if (s.thread == here.linear || s.clock < passed_by_all) return true;
    return s.thread / 32 == here.linear / 32 && s.clock < passed[here.linear][s.thread % 32];
}

// Tensor cores read shared memory outside the order of ordinary accesses (the async proxy). Between a write and such a
// read there must be a proxy fence: by the writer, or by the reader after the barrier that orders the write before it.
inline uint32_t proxy_fences[1024];         // how many each thread has made
inline uint32_t fenced_past[1024];          // passed_by_all at each thread's latest proxy fence

inline bool fenced(const Fences& f, const Stamp& write) {
    return proxy_fences[f.thread] > f.count || write.clock < fenced_past[here.linear];
}

}  // namespace qk
