// The tensor core instructions mma.sync and ldmatrix, in the fragment layouts of the PTX manual. ptx.cuh declares the
// same functions for a GPU. Emulated lane by lane in runtime/tensor_core.h.
#pragma once

namespace qk QK_HIDDEN {
void mma_s8(const Site* site, int (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]);
void mma_f16(const Site* site, float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]);
void mma_bf16(const Site* site, float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]);
void load_matrices(const Site* site, unsigned* out, unsigned matrices, const void* row, bool transposed,
                   const void* pc);

template <unsigned N>
QK_CALLED inline void ldmatrix(const Site* site, unsigned (&out)[N], const void* row, bool transposed) {
    load_matrices(site, out, N, row, transposed, __builtin_return_address(0));
}
}  // namespace qk

#define mma_m16n8k32_s8(c, a, b) ::qk::mma_s8(QK_SITE, c, a, b)
#define mma_m16n8k16_f16(c, a, b) ::qk::mma_f16(QK_SITE, c, a, b)
#define mma_m16n8k16_bf16(c, a, b) ::qk::mma_bf16(QK_SITE, c, a, b)
#define ldmatrix_x1(out, row) ::qk::ldmatrix<1>(QK_SITE, out, row, false)
#define ldmatrix_x2(out, row) ::qk::ldmatrix<2>(QK_SITE, out, row, false)
#define ldmatrix_x4(out, row) ::qk::ldmatrix<4>(QK_SITE, out, row, false)
#define ldmatrix_x2_trans(out, row) ::qk::ldmatrix<2>(QK_SITE, out, row, true)
#define ldmatrix_x4_trans(out, row) ::qk::ldmatrix<4>(QK_SITE, out, row, true)
