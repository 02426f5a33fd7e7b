// mma.sync and ldmatrix, from the PTX manual's figures of which lane holds which element.
#pragma once
#include "block.h"
#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace qk QK_HIDDEN {

static void whole_warp(const Site* site, const char* what) {
    if (exchange_lanes() != ~0u)
        fatal("shuffle", site, "%s takes a whole warp, and some lanes of this one have returned", what);
}

struct Fragment { unsigned a[4], b[2]; };   // the registers that one lane contributes

// Lane l holds of the 16x8 result rows l/4 and l/4 + 8, columns 2(l%4) and 2(l%4) + 1. Along k, a fragment register is
// one 32-bit word: word w of A's row r is in lane 4(r%8) + w%4, register r/8 + 2(w/4); of B's column c in lane
// 4c + w%4, register w/4. Eight words are 32 int8 or 16 half.
template <class C, class Dot>
static void mma_16x8(const Site* site, C (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2], Dot dot) {
    Fragment mine{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
    const uint64_t* of = warp_exchange(site, 0xffffffffu, (uint64_t)(uintptr_t)&mine);
    whole_warp(site, "mma");
    for (unsigned i = 0; i < 4; ++i) {
        unsigned row = lane() / 4 + i / 2 * 8, column = lane() % 4 * 2 + i % 2;
        for (unsigned w = 0; w < 8; ++w) {
            const Fragment* left = (const Fragment*)(uintptr_t)of[row % 8 * 4 + w % 4];
            const Fragment* right = (const Fragment*)(uintptr_t)of[column * 4 + w % 4];
            c[i] = dot(left->a[row / 8 + w / 4 * 2], right->b[w / 4], c[i]);
        }
    }
    warp_exchange(site, 0xffffffffu, 0);   // nobody leaves, and reuses `mine`, before all have read it
}

static float half_to_float(unsigned bits) { return __half2float(__half(__half_raw{(unsigned short)bits})); }
static float bf16_to_float(unsigned bits) {
    unsigned wide = bits << 16;             // bfloat16 is the upper half of a float
    float x;
    memcpy(&x, &wide, 4);
    return x;
}

static float dot2(float (*widen)(unsigned), unsigned x, unsigned y, float sum) {    // two 16-bit values in a word
    return sum + widen(x & 0xffff) * widen(y & 0xffff) + widen(x >> 16) * widen(y >> 16);
}

void mma_s8(const Site* site, int (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    mma_16x8(site, c, a, b, [](unsigned x, unsigned y, int z) { return __dp4a((int)x, (int)y, z); });
}
void mma_f16(const Site* site, float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    mma_16x8(site, c, a, b, [](unsigned x, unsigned y, float z) { return dot2(half_to_float, x, y, z); });
}
void mma_bf16(const Site* site, float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    mma_16x8(site, c, a, b, [](unsigned x, unsigned y, float z) { return dot2(bf16_to_float, x, y, z); });
}

// Lane 8i + r gives the address of row r (16 bytes) of the 8x8 matrix i; lane l receives word l%4 of row l/4, or of the
// transposed matrix.
void load_matrices(const Site* site, unsigned* out, unsigned matrices, const void* row, bool transposed,
                   const void* pc) {
    if (lane() < 8 * matrices) traced(row, 16, LOAD, pc);
    const uint64_t* rows = warp_exchange(site, 0xffffffffu, (uint64_t)(uintptr_t)row);
    whole_warp(site, "ldmatrix");
    unsigned r = lane() / 4, w = lane() % 4;
    for (unsigned i = 0; i < matrices; ++i) {
        uint16_t pair[2];
        for (unsigned j = 0; j < 2; ++j) {
            unsigned from = transposed ? 2 * w + j : r, at = transposed ? r : 2 * w + j;
            memcpy(&pair[j], (const char*)(uintptr_t)rows[8 * i + from] + 2 * at, 2);
        }
        memcpy(&out[i], pair, 4);
    }
    warp_exchange(site, 0xffffffffu, 0);   // one instruction of the whole warp: no lane's next store comes before it
}

}  // namespace qk
