// Races: two threads touch the same byte, one of them writes, and nothing puts one access before the other. Not what
// happened in this run counts but what had to: each access is stamped with its thread's clock, and a barrier tells
// whose clocks have been passed (a vector clock for each lane of a warp, one number for the block's barrier).
//     __syncthreads orders the block's threads, __syncwarp the lanes of its mask, nothing orders two blocks;
//     shuffles and votes order no memory; two atomics never race.
#pragma once
#include "accesses.h"
#include <map>

namespace qk QK_HIDDEN {

inline uint32_t now = 1;                    // one tick for every barrier
inline uint32_t passed_by_all = 1;          // clocks below this one lie before the last block barrier
inline uint32_t clock_of[1024];
inline uint32_t passed[1024][32];           // [thread][lane of its warp]: clocks below lie before this thread's present
inline uint64_t first_run_of_launch = 0;

inline void clocks_meet_all() {
    passed_by_all = ++now;
    for (uint32_t& c : clock_of) c = now;
}
inline void clocks_start() {
    clocks_meet_all();
    memset(passed, 0, sizeof passed);
}
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

// Tensor cores read shared memory past the order of ordinary accesses (the async proxy): between a write and such a read
// there has to be a proxy fence, by who wrote, or by who reads and after the barrier that tells him of the write.
inline uint32_t proxy_fences[1024];
inline uint32_t fenced_past[1024];          // of each thread, at its latest proxy fence: clocks below had passed for all

inline bool fenced(const Fences& f, const Stamp& write) {
    return proxy_fences[f.thread] > f.count || write.clock < fenced_past[here.linear];
}

struct Race {
    unsigned first, second;                 // instructions
    unsigned threads[2];
    bool blocks_differ;
    uint32_t offset;
};
inline std::map<std::pair<unsigned, unsigned>, Race> races;

inline bool ordered(const Stamp& s, bool shared) {      // lies the stamped access before what the running thread does?
    if (s.run < first_run_of_launch || s.run == 0) return true;
    if (s.run != (uint32_t)blocks_started) return shared;   // another block's shared memory is another memory
    if (s.thread == here.linear || s.clock < passed_by_all) return true;
    return s.thread / 32 == here.linear / 32 && s.clock < passed[here.linear][s.thread % 32];
}

inline void race(const Stamp& s, unsigned id, uint32_t offset) {
    if (instructions[s.instruction].access == ATOMIC && instructions[id].access == ATOMIC) return;
    races.try_emplace({std::min<unsigned>(s.instruction, id), std::max<unsigned>(s.instruction, id)},
                      Race{s.instruction, id, {s.thread, here.linear}, s.run != (uint32_t)blocks_started, offset});
}

inline void read(Cell& c, const Stamp& me, bool shared) {
    for (Stamp& r : c.read)
        if (r.run == me.run && r.thread == me.thread) { r = me; return; }
    for (Stamp& r : c.read)
        if (ordered(r, shared)) { r = me; return; }
}

inline void check_races(unsigned id, uintptr_t a, unsigned bytes) {
    const Instruction& i = instructions[id];
    Place& p = places[i.place];
    Stamp me;
    me.run = (uint32_t)blocks_started, me.clock = clock_of[here.linear], me.thread = here.linear, me.instruction = id;
    for (unsigned k = 0; k < bytes; ++k) {
        uint32_t offset = (uint32_t)(a - p.from) + k;
        Cell& c = p.cells[offset];
        bool fresh = p.shared && c.write.run != me.run;
        if (i.access == LOAD || i.access == ATOMIC || i.access == TENSOR) {
            if (p.shared && p.flying[offset] && c.write.run == me.run)
                note("async", nullptr, i.pc, "reads " + p.name + ", where a cp.async has not landed: a missing wait");
            else if (fresh)
                note("uninitialised", nullptr, i.pc, "reads " + p.name + ", where this block has written nothing");
        }
        if (i.access == TENSOR && !fresh && !fenced(p.fences[offset], c.write))
            note("proxy", nullptr, i.pc, "the tensor core reads " + p.name + " with no fence_async_proxy since it was written");
        if (!ordered(c.write, p.shared)) race(c.write, id, offset);
        if (i.access == LOAD || i.access == TENSOR) {
            read(c, me, p.shared);
            continue;
        }
        for (const Stamp& r : c.read)
            if (!ordered(r, p.shared)) race(r, id, offset);
        c.write = me;
        if (p.shared) p.flying[offset] = 0, p.fences[offset] = {here.linear, proxy_fences[here.linear]};
    }
}

inline void mark(const Copy& c, bool flying) {
    int place = find_place((uintptr_t)c.to, c.bytes);
    if (place < 0 || !places[place].shared) return;
    Place& p = places[place];
    for (unsigned k = 0; k < c.bytes; ++k) {
        uint32_t offset = (uint32_t)((uintptr_t)c.to - p.from) + k;
        p.flying[offset] = flying;
        p.cells[offset].write.clock = clock_of[here.linear];    // written when it lands: others need a barrier after
        p.fences[offset] = {here.linear, proxy_fences[here.linear]};
    }
}
inline void copy_takes_off(const Copy& c) { mark(c, true); }
inline void copy_touches_down(const Copy& c) { mark(c, false); }

inline std::string report_races() {
    std::string out;
    for (const auto& [key, r] : races) {
        const Instruction &a = instructions[r.first], &b = instructions[r.second];
        out += print("R\t%lx\t%d\t%lx\t%d\t%u\t%u\t%d\t%u\t%s\n", (unsigned long)(a.pc - library_base()), (int)a.access,
                     (unsigned long)(b.pc - library_base()), (int)b.access, r.threads[0], r.threads[1],
                     (int)r.blocks_differ, r.offset, places[a.place].name.c_str());
    }
    return out;
}

}  // namespace qk
