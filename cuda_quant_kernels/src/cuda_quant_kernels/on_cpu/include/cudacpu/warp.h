// Warp-level primitives. Every one is an exchange: each lane hands in 64 bits, waits until all lanes of its mask have
// come, and then sees what each of them handed in. As on a GPU, none but __syncwarp orders memory.
#pragma once
#include <string.h>

namespace qk QK_HIDDEN {

template <class T> QK_UNTRACED inline T from_lane(const Site* site, const uint64_t* values, T mine, unsigned source) {
    static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
    if (!(exchange_lanes() >> source & 1))
        fault("shuffle", site, "lane %u reads from lane %u, which takes no part in the shuffle", lane(), source);
    T result = mine;
    memcpy(&result, &values[source], sizeof(T));
    return result;
}
template <class T> QK_UNTRACED inline const uint64_t* hand_in(const Site* site, unsigned mask, T value) {
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof(T));
    return warp_exchange(site, mask, bits);
}
template <class T>
QK_UNTRACED T shuffle(const Site* site, unsigned mask, T value, int source, int width = 32) {
    const uint64_t* all = hand_in(site, mask, value);
    return from_lane(site, all, value, (lane() & ~(width - 1)) | (source & (width - 1)));
}
template <class T>
QK_UNTRACED T shuffle_xor(const Site* site, unsigned mask, T value, int bits, int width = 32) {
    const uint64_t* all = hand_in(site, mask, value);
    unsigned source = lane() ^ bits;   // a later group's lanes are out of reach, an earlier group's are not: shfl.bfly
    return (source & ~(width - 1)) <= (lane() & ~(width - 1)) ? from_lane(site, all, value, source) : value;
}
template <class T>
QK_UNTRACED T shuffle_down(const Site* site, unsigned mask, T value, unsigned delta, int width = 32) {
    const uint64_t* all = hand_in(site, mask, value);
    return (lane() & (width - 1)) + delta < (unsigned)width ? from_lane(site, all, value, lane() + delta) : value;
}
template <class T>
QK_UNTRACED T shuffle_up(const Site* site, unsigned mask, T value, unsigned delta, int width = 32) {
    const uint64_t* all = hand_in(site, mask, value);
    return (lane() & (width - 1)) >= delta ? from_lane(site, all, value, lane() - delta) : value;
}
template <class T, class F> QK_UNTRACED T reduce(const Site* site, unsigned mask, T value, F&& join) {
    const uint64_t* all = hand_in(site, mask, value);
    T result{};
    bool first = true;
    for (unsigned i = 0; i < 32; ++i) {
        if (!(exchange_lanes() >> i & 1)) continue;
        T other;
        memcpy(&other, &all[i], sizeof(T));
        result = first ? other : join(result, other);
        first = false;
    }
    return result;
}
QK_UNTRACED inline unsigned ballot(const Site* site, unsigned mask, int predicate) {
    return reduce(site, mask, predicate ? 1u << lane() : 0u, [](unsigned a, unsigned b) { return a | b; });
}
template <class T> QK_UNTRACED unsigned match_any(const Site* site, unsigned mask, T value) {
    const uint64_t* all = hand_in(site, mask, value);
    unsigned same = 0;
    for (unsigned i = 0; i < 32; ++i) same |= (unsigned)((exchange_lanes() >> i & 1) && all[i] == all[lane()]) << i;
    return same;
}

}  // namespace qk

#define __syncwarp(...) ::qk::warp_barrier(QK_SITE, ::qk::first_or_all(__VA_ARGS__))
#define __shfl_sync(...) ::qk::shuffle(QK_SITE, __VA_ARGS__)
#define __shfl_xor_sync(...) ::qk::shuffle_xor(QK_SITE, __VA_ARGS__)
#define __shfl_down_sync(...) ::qk::shuffle_down(QK_SITE, __VA_ARGS__)
#define __shfl_up_sync(...) ::qk::shuffle_up(QK_SITE, __VA_ARGS__)
#define __ballot_sync(mask, p) ::qk::ballot(QK_SITE, mask, (p) != 0)
#define __any_sync(mask, p) ((int)(::qk::ballot(QK_SITE, mask, (p) != 0) != 0))
#define __all_sync(mask, p) ((int)(::qk::ballot(QK_SITE, mask, (p) == 0) == 0))
#define __match_any_sync(mask, v) ::qk::match_any(QK_SITE, mask, v)
#define __activemask() ::qk::active_lanes(QK_SITE)
#define __reduce_add_sync(mask, v) ::qk::reduce(QK_SITE, mask, v, [](auto a, auto b) { return a + b; })
#define __reduce_min_sync(mask, v) ::qk::reduce(QK_SITE, mask, v, [](auto a, auto b) { return a < b ? a : b; })
#define __reduce_max_sync(mask, v) ::qk::reduce(QK_SITE, mask, v, [](auto a, auto b) { return a > b ? a : b; })
#define __reduce_and_sync(mask, v) ::qk::reduce(QK_SITE, mask, v, [](auto a, auto b) { return a & b; })
#define __reduce_or_sync(mask, v) ::qk::reduce(QK_SITE, mask, v, [](auto a, auto b) { return a | b; })
#define __reduce_xor_sync(mask, v) ::qk::reduce(QK_SITE, mask, v, [](auto a, auto b) { return a ^ b; })

namespace qk QK_HIDDEN {
inline unsigned first_or_all(unsigned mask = 0xffffffffu) { return mask; }
}
