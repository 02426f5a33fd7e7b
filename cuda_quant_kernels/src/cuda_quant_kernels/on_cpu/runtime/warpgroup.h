// wgmma, from the PTX manual's figures. Every lane computes its own part of the result, and does it at the wait: what
// is written to a tile before that, and ought not to be, shows in the values, and what is read of the accumulators
// before that is garbage. The tracer looks at a tile twice, at the issue and at the wait, since both ends are at stake.
#pragma once
#include "block.h"
#include "shared_memory.h"
#include <deque>

namespace qk QK_HIDDEN {

struct Product {                     // as a thread issued it: d (64 x columns) = or += a (64 x 32) b (columns x 32)^T
    const Site* site;
    int* d;
    unsigned columns;
    uint64_t a, b;
    bool accumulate;
    const void* pc;
};
#ifdef QK_TRACE
void trace_product(const Product& p, bool issued);
void trace_proxy_fence();
#else
inline void trace_product(const Product&, bool) {}
inline void trace_proxy_fence() {}
#endif

// ---- where a tile's bytes lie

struct Tile { unsigned start, leading, stride, swizzle; };      // bytes

inline Tile tile(uint64_t descriptor) {
    constexpr unsigned bytes[] = {16, 128, 64, 32};
    auto field = [&](int at) { return (unsigned)(descriptor >> at & 0x3fff) << 4; };
    return {field(0), field(16), field(32), bytes[descriptor >> 62]};
}

inline unsigned offset_of(const Tile& t, unsigned row, unsigned chunk) {    // of 16 bytes; chunk 0 or 1
    unsigned at = t.start + row / 8 * t.stride + row % 8 * t.swizzle + chunk * (t.swizzle == 16 ? t.leading : 16);
    return t.swizzle == 16 ? at : at ^ (at >> 7 & (t.swizzle / 16 - 1)) << 4;
}

static void check_tile(const Site* site, const char* which, uint64_t descriptor, unsigned rows) {
    Tile t = tile(descriptor);
    if (descriptor >> 49 & 7) fatal("wgmma", site, "tile %s has a base offset, which is not modelled", which);
    if (t.swizzle > 16 && t.start / t.swizzle % 8)
        fatal("wgmma", site, "tile %s begins in row %u of the swizzle's pattern: it must begin at a multiple of %u bytes",
              which, t.start / t.swizzle % 8, 8 * t.swizzle);
    for (unsigned row = 0; row < rows; row += 8)
        if (offset_of(t, row + 7, 1) + 32ul > arena_bytes)
            fatal("wgmma", site, "tile %s reaches beyond shared memory at row %u", which, row);
}

// ---- what a thread has under way

struct Accumulators {
    int* d;
    const Site* site;                // of the latest product
    std::vector<int> values;         // the true ones; the kernel's own hold garbage until the wait
    unsigned products = 0;           // that are to come
};
struct UnderWay {
    uint64_t block = 0;              // which block of all launches issued them
    bool fenced = false;             // since the block began
    std::vector<Product> open;
    std::deque<std::vector<Product>> committed;
    std::vector<Accumulators> held, returned;    // returned: as they were at the wait, until the next fence
};
inline std::vector<UnderWay> under_way(1024);
constexpr int not_there_yet = (int)0xA5A5A5A5;

inline UnderWay& my_products() {
    UnderWay& u = under_way[here.linear];
    if (u.block != blocks_started) u = UnderWay{}, u.block = blocks_started;
    return u;
}

static Accumulators& hold(UnderWay& u, const Product& p) {
    unsigned n = p.columns / 2;
    for (Accumulators& h : u.held) {
        if (h.d != p.d) continue;
        for (unsigned i = 0; i < n; ++i)
            if (p.d[i] != not_there_yet) fatal("wgmma", p.site, "its accumulators are written while a product is under way");
        return h;
    }
    for (const Accumulators& r : u.returned)
        if (r.d == p.d && !std::equal(r.values.begin(), r.values.end(), p.d))
            fault("wgmma", p.site, "its accumulators have been written since the last wait: a missing wgmma_fence");
    u.held.push_back({p.d, p.site, std::vector<int>(p.d, p.d + n)});
    std::fill(p.d, p.d + n, not_there_yet);
    return u.held.back();
}

// ---- the four warps of a warpgroup issue the same products

struct Together {
    uint64_t block = 0;
    std::vector<std::pair<const Site*, uint64_t>> issued;       // where, and a hash of the descriptors
    unsigned by[4] = {};                                        // how many of them each warp has issued
};
inline Together groups[8];

static void keep_together(const Site* site, uint64_t hash) {
    Together& g = groups[here.linear / 128];
    if (g.block != blocks_started) g = Together{}, g.block = blocks_started;
    unsigned n = g.by[here.linear / 32 % 4]++;
    if (n == g.issued.size()) g.issued.push_back({site, hash});
    else if (g.issued[n].second != hash)
        fault("wgmma", site, "the four warps of a warpgroup give different tiles for the same product");
}

// ---- what a kernel's thread calls

void product_s8(const Site* site, int* d, unsigned columns, uint64_t a, uint64_t b, bool accumulate, const void* pc) {
    uint64_t hash = (a * 0x9E3779B97F4A7C15u ^ b) * 2 + accumulate;
    const uint64_t* all = warp_exchange(site, 0xffffffffu, hash);
    whole_warp(site, "wgmma");
    for (unsigned l = 0; l < 32; ++l)
        if (all[l] != hash) fatal("wgmma", site, "lanes %u and %u of one warp give different tiles", lane(), l);
    check_tile(site, "a", a, 64);
    check_tile(site, "b", b, columns);
    if (lane() == 0) keep_together(site, hash);
    UnderWay& u = my_products();
    if (!u.fenced) fault("wgmma", site, "no wgmma_fence before the first product");
    Product p{site, d, columns, a, b, accumulate, pc};
    Accumulators& h = hold(u, p);
    h.site = site;
    ++h.products;
    u.open.push_back(p);
    trace_product(p, true);
}

void products_fence() {
    UnderWay& u = my_products();
    u.fenced = true;
    u.returned.clear();
}

void products_commit() {
    UnderWay& u = my_products();
    u.committed.push_back(std::move(u.open));
    u.open.clear();
}

static int dot16(const void* x, const void* y) {
    int sum = 0;
    for (int i = 0; i < 16; ++i) sum += ((const int8_t*)x)[i] * ((const int8_t*)y)[i];
    return sum;
}

static void finish_product(const Product& p, std::vector<int>& sum) {
    Tile a = tile(p.a), b = tile(p.b);
    for (unsigned i = 0; i < p.columns / 2; ++i) {
        unsigned row = here.linear / 32 % 4 * 16 + lane() / 4 + i / 2 % 2 * 8, column = i / 4 * 8 + lane() % 4 * 2 + i % 2;
        unsigned products = p.accumulate ? (unsigned)sum[i] : 0;
        for (unsigned chunk = 0; chunk < 2; ++chunk)
            products += (unsigned)dot16(arena.bytes + offset_of(a, row, chunk), arena.bytes + offset_of(b, column, chunk));
        sum[i] = (int)products;
    }
    trace_product(p, false);
}

static void give_back(UnderWay& u) {
    for (size_t k = u.held.size(); k-- > 0;) {
        Accumulators& h = u.held[k];
        if (h.products) continue;
        for (size_t i = 0; i < h.values.size(); ++i)
            if (h.d[i] != not_there_yet) fatal("wgmma", h.site, "its accumulators are written before the wait");
        std::copy(h.values.begin(), h.values.end(), h.d);
        u.returned.push_back(std::move(h));
        u.held.erase(u.held.begin() + (long)k);
    }
}

void products_wait(unsigned still_under_way) {
    UnderWay& u = my_products();
    while (u.committed.size() > still_under_way) {
        for (const Product& p : u.committed.front()) {
            for (Accumulators& h : u.held)
                if (h.d == p.d) finish_product(p, h.values), --h.products;
            give_back(u);
        }
        u.committed.pop_front();
    }
}

void proxy_fence() { trace_proxy_fence(); }

// ---- what the scheduler tells

void thread_ends() {
    const UnderWay& u = under_way[here.linear];
    if (u.block == blocks_started && !u.held.empty())
        note("wgmma", u.held.front().site, 0,
             "the thread ends while this product is under way: a missing wgmma_commit or wgmma_wait");
}

void block_ends() {
    for (const Together& g : groups) {
        if (g.block != blocks_started) continue;
        for (unsigned w = 0; w < 4; ++w)
            if (g.by[w] < g.issued.size())
                note("wgmma", g.issued[g.by[w]].first, 0,
                     print("warp %u of the warpgroup never issues this product, which takes all four", w));
    }
}

}  // namespace qk
