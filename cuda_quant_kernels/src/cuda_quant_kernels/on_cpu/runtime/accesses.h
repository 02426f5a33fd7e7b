// Where an address lies, and which instruction asks for it.
#pragma once
#include "async_copies.h"
#include "faults.h"
#include "shared_memory.h"
#include <unordered_map>

namespace qk QK_HIDDEN {

// The last access to a byte by a thread, in 12 bytes: there is one for every byte of every array.
struct Stamp {
    uint32_t run = 0;               // which block of all launches
    uint32_t clock = 0;             // that thread's clock
    uint32_t thread : 10;           // in its block
    uint32_t instruction : 22;
    Stamp() : thread(0), instruction(0) {}
};
struct Cell {
    Stamp write, read[2];           // two readers: one of them is another thread than any writer
};

struct Fences {                      // by whom a byte of shared memory was written, and his proxy fences until then
    uint32_t thread : 10, count : 22;
    Fences() : thread(0), count(0) {}
    Fences(uint32_t t, uint32_t c) : thread(t), count(c) {}
};

struct Place {                      // an array in global memory or a variable in shared memory
    uintptr_t from, to;
    std::string name;
    bool shared;
    unsigned long alignment;        // of its beginning
    std::vector<Cell> cells;        // one a byte
    std::vector<uint8_t> flying;    // shared: bytes of a cp.async that has not landed
    std::vector<Fences> fences;     // shared
};
inline std::vector<Place> places;
inline int last_place = -1;

inline void add_place(uintptr_t from, size_t bytes, const std::string& name, bool shared, unsigned long alignment) {
    places.push_back({from, from + bytes, name, shared, alignment, std::vector<Cell>(bytes), {}, {}});
    if (shared) places.back().flying.resize(bytes), places.back().fences.resize(bytes);
}

inline void forget_variables() {    // a new launch places its shared variables anew
    last_place = -1;
    for (size_t i = places.size(); i-- > 0;)
        if (places[i].shared) places[i].from = places[i].to = 0;
}

// Shared variables are traced under one Place each, found again by name so that rows of many launches add up.
inline void place_variables() {
    for (const Variable& v : arena.variables) {
        uintptr_t from = (uintptr_t)arena.bytes + v.from, bytes = v.to - v.from;
        bool known = false;
        for (Place& p : places) {
            if (!p.shared || p.name != v.name || p.cells.size() != bytes || (p.from && p.from != from)) continue;
            p.from = from, p.to = from + bytes;
            known = true;
            break;
        }
        if (!known) add_place(from, bytes, v.name, true, v.alignment);
    }
}

inline int find_place(uintptr_t a, unsigned bytes) {
    auto holds = [&](const Place& p) { return a >= p.from && a + bytes <= p.to; };
    if (last_place >= 0 && holds(places[last_place])) return last_place;
    for (int attempt = 0; attempt < 2; ++attempt) {
        for (size_t i = 0; i < places.size(); ++i)
            if (holds(places[i])) return last_place = (int)i;
        place_variables();          // perhaps one that this launch has just placed
    }
    return -1;
}

inline std::string outside(uintptr_t a, unsigned bytes, Access access) {
    const char* verb = access == LOAD || access == TENSOR ? "reads" : access == ATOMIC ? "updates" : "writes";
    const Place* nearest = nullptr;
    uintptr_t distance = 1 << 24;           // further off it is no slip of an index
    for (const Place& p : places) {
        if (!p.from) continue;
        uintptr_t d = a >= p.to ? a - p.to : a < p.from ? p.from - a : 0;
        if (d < distance) nearest = &p, distance = d;
    }
    if (!nearest) return print("%s %u bytes at %p, outside every array", verb, bytes, (void*)a);
    return print("%s %u bytes at byte %ld of %s, which has %lu", verb, bytes, (long)(a - nearest->from),
                 nearest->name.c_str(), (unsigned long)(nearest->to - nearest->from));
}

// An instruction is a place in the machine code that touches one array in one way.
struct Instruction {
    uintptr_t pc;
    int place;
    Access access;
    unsigned bytes;
    uint64_t requests = 0, lanes = 0, moved = 0, ideal = 0, worst = 0;
    std::vector<uint32_t> times{};  // how often each thread of the block came here since the last barrier
};
inline std::vector<Instruction> instructions;
inline std::unordered_map<uint64_t, unsigned> instruction_ids;

inline unsigned instruction(uintptr_t pc, int place, Access access, unsigned bytes) {
    static uint64_t last_key = 0;
    static unsigned last_id = 0;
    uint64_t key = (uint64_t)pc << 16 ^ (uint64_t)place << 8 ^ (uint64_t)access << 5 ^ bytes;
    if (key == last_key && last_id < instructions.size()) return last_id;
    auto [at, added] = instruction_ids.try_emplace(key, (unsigned)instructions.size());
    if (added) instructions.push_back({pc, place, access, bytes});
    last_key = key;
    return last_id = at->second;
}

}  // namespace qk
