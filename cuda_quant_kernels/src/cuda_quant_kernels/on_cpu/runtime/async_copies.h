// The queue behind cp.async: each thread's copies, in the groups that it committed.
#pragma once
#include "block.h"
#include <deque>

namespace qk QK_HIDDEN {

struct Copy {
    void* to;
    const void* from;
    unsigned bytes, filled;
    const void* pc;
};
#ifdef QK_TRACE
void trace_copy_flies(const Copy& copy);
void trace_copy_lands(const Copy& copy);
#else
inline void trace_copy_flies(const Copy&) {}
inline void trace_copy_lands(const Copy&) {}
#endif

using Group = std::vector<Copy>;
struct Queue {
    uint64_t block = 0;              // which block of all launches filled it: nothing flies on into the next
    Group open;
    std::deque<Group> committed;
};
inline std::vector<Queue> queues(1024);

inline Queue& my_queue() {
    Queue& q = queues[here.linear];
    if (q.block != blocks_started) q.open.clear(), q.committed.clear(), q.block = blocks_started;
    return q;
}

void async_copy(void* to, const void* from, unsigned bytes, unsigned filled, const void* pc) {
    Copy copy{to, from, bytes, filled < bytes ? filled : bytes, pc};
    trace_copy_flies(copy);
    my_queue().open.push_back(copy);
}

void async_commit() {
    Queue& q = my_queue();
    q.committed.push_back(std::move(q.open));
    q.open.clear();
}

void async_wait(unsigned still_flying) {
    Queue& q = my_queue();
    while (q.committed.size() > still_flying) {
        for (const Copy& c : q.committed.front()) {
            memcpy(c.to, c.from, c.filled);
            memset((char*)c.to + c.filled, 0, c.bytes - c.filled);
            trace_copy_lands(c);
        }
        q.committed.pop_front();
    }
}

}  // namespace qk
