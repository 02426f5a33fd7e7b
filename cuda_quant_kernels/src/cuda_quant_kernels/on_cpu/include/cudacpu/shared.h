// Shared memory. rewrite.py turns
//     __shared__ float part[32];            into a static Slot and   auto& part = qk::shared<float[(32)]>(slot);
//     extern __shared__ int8_t tile[];      into                     int8_t* tile = (int8_t*)qk::dynamic_shared();
// The variables live in one arena with forbidden gaps between them, so that a step outside is seen, and the arena is
// filled with garbage at the start of every block, as on a GPU nobody clears it.
#pragma once

namespace qk QK_HIDDEN {

struct Slot {
    const char* name;
    Site site;
    unsigned launch = 0;       // the launch in which it was last given a place
    void* place = nullptr;
    unsigned long alignment;   // declared by __align__
    constexpr Slot(const char* n, const char* file, int line, unsigned long a)
        : name(n), site{file, line}, alignment(a) {}
};
void* place_shared(Slot* slot, unsigned long bytes, unsigned long alignment_of_type);
void* dynamic_shared();
unsigned long shared_address(const void* p);    // counted from where shared memory begins

template <class T> QK_UNTRACED inline T& shared(Slot& slot) {
    if (slot.launch != here.launch) place_shared(&slot, sizeof(T), alignof(T));
    return *static_cast<T*>(slot.place);
}

}  // namespace qk

inline unsigned long __cvta_generic_to_shared(const void* p) { return qk::shared_address(p); }
