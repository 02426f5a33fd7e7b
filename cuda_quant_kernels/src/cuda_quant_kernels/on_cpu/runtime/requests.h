// Memory requests. The lanes of a warp run one after the other here; on a GPU they issue an instruction together. The
// n-th time that each lane came to an instruction since the last barrier is taken to be one request of the warp.
//     global: a request moves sectors of 32 bytes; ideal is the fewest that hold the bytes asked for
//     shared: 32 banks of 4 bytes; a request takes as many wavefronts as the busiest bank has different words. Lanes of up
//             to 4 bytes go together, of 8 bytes in two halves, of 16 bytes in four quarters: each at least one wavefront.
#pragma once
#include "accesses.h"
#include <algorithm>

namespace qk QK_HIDDEN {

struct Request {
    uint32_t lanes = 0;
    uint32_t offset[32];
};
inline std::vector<std::vector<Request>> pending;      // [instruction * 32 + warp][n]

inline void count(unsigned id, uint32_t offset) {
    Instruction& i = instructions[id];
    if (i.times.empty()) i.times.resize(1024);
    if (pending.size() < (id + 1) * 32) pending.resize((id + 1) * 32);
    uint32_t n = i.times[here.linear]++;
    std::vector<Request>& list = pending[id * 32 + here.linear / 32];
    if (list.size() <= n) list.resize(n + 1);
    list[n].lanes |= 1u << lane();
    list[n].offset[lane()] = offset;
}

struct Cost { unsigned moved, ideal; };

inline Cost global_cost(const uintptr_t* from, unsigned lanes, unsigned bytes) {
    unsigned sectors = 0, distinct = 0;
    uintptr_t next_sector = 0, next_byte = 0;           // addresses come sorted
    for (unsigned i = 0; i < lanes; ++i) {
        uintptr_t first = std::max(from[i] / 32, next_sector), last = (from[i] + bytes - 1) / 32;
        if (last + 1 > first) sectors += (unsigned)(last + 1 - first), next_sector = last + 1;
        uintptr_t begin = std::max(from[i], next_byte);
        if (from[i] + bytes > begin) distinct += (unsigned)(from[i] + bytes - begin), next_byte = from[i] + bytes;
    }
    return {sectors, (distinct + 31) / 32};
}

inline Cost shared_cost(const Request& r, uintptr_t base, unsigned bytes) {
    Cost cost{0, 0};
    unsigned together = bytes <= 4 ? 32 : bytes <= 8 ? 16 : 8;
    for (unsigned first = 0; first < 32; first += together) {
        uintptr_t words[32][32];
        unsigned in_bank[32] = {}, busiest = 0;
        for (unsigned l = first; l < first + together; ++l) {
            if (!(r.lanes >> l & 1)) continue;
            uintptr_t a = base + r.offset[l];
            for (uintptr_t word = a / 4; word <= (a + bytes - 1) / 4; ++word) {
                unsigned bank = word % 32, k = 0;
                while (k < in_bank[bank] && words[bank][k] != word) ++k;   // the same word again is a broadcast
                if (k == in_bank[bank]) words[bank][in_bank[bank]++] = word;
                busiest = std::max(busiest, in_bank[bank]);
            }
        }
        cost.moved += busiest;
        cost.ideal += busiest > 0;
    }
    return cost;
}

inline void finish(Instruction& i, const Request& r) {
    const Place& p = places[i.place];
    Cost cost;
    if (p.shared) {
        cost = shared_cost(r, p.from, i.bytes);
    } else {
        uintptr_t from[32];
        unsigned n = 0;
        for (unsigned l = 0; l < 32; ++l)
            if (r.lanes >> l & 1) from[n++] = p.from + r.offset[l];
        std::sort(from, from + n);
        cost = global_cost(from, n, i.bytes);
    }
    i.requests += 1;
    i.lanes += (unsigned)__builtin_popcount(r.lanes);
    i.moved += cost.moved;
    i.ideal += cost.ideal;
    i.worst = std::max<uint64_t>(i.worst, cost.moved);
}

inline void finish_requests() {
    for (size_t k = 0; k < pending.size(); ++k) {
        for (const Request& r : pending[k])
            if (r.lanes) finish(instructions[k / 32], r);
        pending[k].clear();
    }
    for (Instruction& i : instructions) std::fill(i.times.begin(), i.times.end(), 0u);
}

inline void clear_requests() {
    instructions.clear();
    instruction_ids.clear();
    pending.clear();
}

inline std::string report_requests() {
    finish_requests();
    std::string out;
    for (const Instruction& i : instructions) {
        const Place& p = places[i.place];
        unsigned long offset = (unsigned long)(i.pc - library_base());
        out += print("A\t%lx\t%d\t%d\t%u\t%lu\t%lu\t%lu\t%lu\t%lu\t%s\n", offset, (int)p.shared, (int)i.access, i.bytes,
                     i.requests, i.lanes, i.moved, i.ideal, i.worst, p.name.c_str());
    }
    return out;
}

}  // namespace qk
