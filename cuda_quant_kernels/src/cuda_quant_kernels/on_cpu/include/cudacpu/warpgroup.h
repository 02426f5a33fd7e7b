// wgmma: products of tiles in shared memory, by a warpgroup, that end at the wait and not before. wgmma.cuh declares the
// same functions for a GPU, and says what each is for. Emulated in runtime/warpgroup.h.
#pragma once

namespace qk QK_HIDDEN {
void product_s8(const Site* site, int* d, unsigned columns, uint64_t a, uint64_t b, bool accumulate, const void* pc);
void products_fence();
void products_commit();
void products_wait(unsigned groups_under_way);
void proxy_fence();

template <unsigned N>
QK_CALLED inline void wgmma_s8(const Site* site, int (&d)[N], uint64_t a, uint64_t b, bool accumulate) {
    product_s8(site, d, N * 2, a, b, accumulate, __builtin_return_address(0));
}
}  // namespace qk

#define wgmma_m64n8k32_s8(...) ::qk::wgmma_s8<4>(QK_SITE, __VA_ARGS__)
#define wgmma_m64n256k32_s8(...) ::qk::wgmma_s8<128>(QK_SITE, __VA_ARGS__)
inline void wgmma_fence() { qk::products_fence(); }
inline void wgmma_commit() { qk::products_commit(); }
template <int groups> inline void wgmma_wait() { qk::products_wait(groups); }
inline void fence_async_proxy() { qk::proxy_fence(); }
