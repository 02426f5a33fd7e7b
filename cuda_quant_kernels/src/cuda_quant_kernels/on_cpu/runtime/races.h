// Races: two threads touch the same byte, one of them writes, and no barrier puts one access before the other. Reports
// the races that the barriers allow, even if this run was correct. Each byte remembers its last writer and two readers
// (accesses.h); clocks.h says which of them come before the present access.
#pragma once
#include "clocks.h"
#include <map>

namespace qk QK_HIDDEN {

struct Race {
    unsigned first, second;                 // instructions
    unsigned threads[2];
    bool blocks_differ;
    uint32_t offset;
};
inline std::map<std::pair<unsigned, unsigned>, Race> races;

inline void race(const Stamp& s, unsigned id, uint32_t offset) {
    if (instructions[s.instruction].access == ATOMIC && instructions[id].access == ATOMIC) return;
    races.try_emplace({std::min<unsigned>(s.instruction, id), std::max<unsigned>(s.instruction, id)},
                      Race{s.instruction, id, {s.thread, here.linear}, s.run != (uint32_t)blocks_started, offset});
}

// What a read of shared memory may find: nothing written yet, a copy that has not landed, no fence for a tensor core.
inline void check_contents(const Instruction& i, const Place& p, const Cell& c, uint32_t offset) {
    if (!p.shared) return;
    bool written = c.write.run == (uint32_t)blocks_started;
    if (!written)
        note("uninitialised", nullptr, i.pc, "reads " + p.name + ", where this block has written nothing");
    else if (p.flying[offset])
        note("async", nullptr, i.pc, "reads " + p.name + ", where a cp.async has not landed: a missing wait");
    if (i.access == TENSOR && written && !fenced(p.fences[offset], c.write))
        note("proxy", nullptr, i.pc, "the tensor core reads " + p.name + " with no fence_async_proxy since it was written");
}

// Two readers of each byte are kept: this thread's own, or one that comes before it anyway, is replaced.
inline void remember_reader(Cell& c, const Stamp& me, bool shared) {
    for (Stamp& r : c.read)
        if (r.run == me.run && r.thread == me.thread) { r = me; return; }
    for (Stamp& r : c.read)
        if (ordered(r, shared)) { r = me; return; }
}

inline void remember_writer(Place& p, Cell& c, const Stamp& me, uint32_t offset) {
    c.write = me;
    if (p.shared) p.flying[offset] = 0, p.fences[offset] = {here.linear, proxy_fences[here.linear]};
}

// A read races with the last write; a write also with the last reads.
inline void check_races(unsigned id, uintptr_t a, unsigned bytes) {
    const Instruction& i = instructions[id];
    Place& p = places[i.place];
    bool loads = i.access == LOAD || i.access == TENSOR, reads = loads || i.access == ATOMIC;
    Stamp me;
    me.run = (uint32_t)blocks_started, me.clock = clock_of[here.linear], me.thread = here.linear, me.instruction = id;
    for (unsigned k = 0; k < bytes; ++k) {
        uint32_t offset = (uint32_t)(a - p.from) + k;
        Cell& c = p.cells[offset];
        if (reads) check_contents(i, p, c, offset);
        if (!ordered(c.write, p.shared)) race(c.write, id, offset);
        if (loads) {
            remember_reader(c, me, p.shared);
            continue;
        }
        for (const Stamp& r : c.read)
            if (!ordered(r, p.shared)) race(r, id, offset);
        remember_writer(p, c, me, offset);
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
