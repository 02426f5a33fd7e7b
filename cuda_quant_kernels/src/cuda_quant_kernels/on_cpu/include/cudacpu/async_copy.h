// cp.async. On a GPU the bytes may land at any time between the copy and the wait; here they land at the wait and not
// before, so that a missing or short wait shows in every run and not once in a thousand.
#pragma once

namespace qk QK_HIDDEN {
// Copies the first `filled` bytes; the rest up to `bytes` become zero.
void async_copy(void* to, const void* from, unsigned bytes, unsigned filled, const void* pc);
void async_commit();
void async_wait(unsigned groups_still_flying);
}

QK_CALLED inline void cp_async4(void* to, const void* from, unsigned filled = 4) {
    qk::async_copy(to, from, 4, filled, __builtin_return_address(0));
}
QK_CALLED inline void cp_async8(void* to, const void* from, unsigned filled = 8) {
    qk::async_copy(to, from, 8, filled, __builtin_return_address(0));
}
QK_CALLED inline void cp_async16(void* to, const void* from, unsigned filled = 16) {
    qk::async_copy(to, from, 16, filled, __builtin_return_address(0));
}
inline void cp_async_commit() { qk::async_commit(); }
template <int groups> inline void cp_async_wait() { qk::async_wait(groups); }
inline void cp_async_wait_all() { qk::async_commit(); qk::async_wait(0); }

// the same under the names of <cuda_pipeline.h>
QK_CALLED inline void __pipeline_memcpy_async(void* to, const void* from, size_t bytes, size_t zeros = 0) {
    qk::async_copy(to, from, (unsigned)bytes, (unsigned)(bytes - zeros), __builtin_return_address(0));
}
inline void __pipeline_commit() { qk::async_commit(); }
inline void __pipeline_wait_prior(size_t groups) { qk::async_wait((unsigned)groups); }
