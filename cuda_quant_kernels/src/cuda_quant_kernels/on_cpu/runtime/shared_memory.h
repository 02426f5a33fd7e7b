// Shared memory: one arena. Each variable gets its place at the first use in a launch and keeps it in all blocks. The
// gaps are multiples of 128 bytes, a row of all 32 banks, so that they change no bank.
#pragma once
#include "block.h"
#include <algorithm>

namespace qk QK_HIDDEN {

constexpr unsigned long shared_gap = 128, shared_bytes_at_most = 227 << 10, arena_bytes = 1 << 20;
constexpr unsigned char garbage = 0xA5;

struct Variable {
    const char* name;
    unsigned long from, to;     // offsets in the arena
    unsigned long alignment;    // what the declaration promises; here every variable begins at a multiple of 128 at least
};
struct Arena {
    char* bytes = nullptr;
    unsigned long used = 0, wanted = 0;     // with the gaps, and without
    std::vector<Variable> variables;
    char* dynamic = nullptr;
};
inline Arena arena;

inline void forbid(unsigned long from, unsigned long to, bool forbidden) {
    (void)from, (void)to, (void)forbidden;
#ifdef QK_ASAN
    if (forbidden) __asan_poison_memory_region(arena.bytes + from, to - from);
    else __asan_unpoison_memory_region(arena.bytes + from, to - from);
#endif
}

inline char* take(const char* name, unsigned long bytes, unsigned long alignment) {
    unsigned long unit = std::max(alignment, 128ul), from = (arena.used + unit - 1) / unit * unit;
    if (from + bytes + shared_gap > arena_bytes) return nullptr;
    arena.used = from + bytes + shared_gap;
    arena.wanted += bytes;
    arena.variables.push_back({name, from, from + bytes, alignment});
    forbid(from, from + bytes, false);
    memset(arena.bytes + from, garbage, bytes);
    return arena.bytes + from;
}

inline void begin_shared(unsigned long dynamic_bytes) {
    if (!arena.bytes && posix_memalign((void**)&arena.bytes, 4096, arena_bytes)) abort();
    forbid(0, arena_bytes, true);
    arena.variables.clear();
    arena.used = shared_gap;
    arena.wanted = 0;
    arena.dynamic = dynamic_bytes ? take("dynamic shared memory", dynamic_bytes, 16) : nullptr;
}

inline void fill_shared_with_garbage() {
    for (const Variable& v : arena.variables) memset(arena.bytes + v.from, garbage, v.to - v.from);
}

void* place_shared(Slot* slot, unsigned long bytes, unsigned long alignment_of_type) {
    slot->launch = here.launch;
    slot->place = take(slot->name, bytes, slot->alignment > alignment_of_type ? slot->alignment : alignment_of_type);
    if (!slot->place || arena.wanted > shared_bytes_at_most)
        fatal("launch", &slot->site, "%lu bytes of shared memory with %s: a block has at most %lu", arena.wanted,
              slot->name, shared_bytes_at_most);
    return slot->place;
}

void* dynamic_shared() { return arena.dynamic ? arena.dynamic : arena.bytes; }   // none asked for: a forbidden gap

unsigned long shared_address(const void* p) { return (unsigned long)((const char*)p - arena.bytes); }

}  // namespace qk
