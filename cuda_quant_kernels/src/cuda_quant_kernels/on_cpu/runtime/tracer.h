// The tracer: kernels are compiled with -fsanitize=thread, which calls a hook before every load and store of memory
// that others might see; these are the hooks. An access outside every array ends the launch before it happens.
#pragma once
#include "accesses.h"
#include "races.h"
#include "requests.h"
#include "warpgroup.h"
#include <link.h>

namespace qk QK_HIDDEN {

inline bool tracing = false;
inline uintptr_t image_from = 0, image_to = 0;     // this library: constants and tables, which are not traced

static void find_image() {
    dl_iterate_phdr([](dl_phdr_info* info, size_t, void*) {
        uintptr_t from = ~(uintptr_t)0, to = 0;
        for (int i = 0; i < info->dlpi_phnum; ++i) {
            const auto& part = info->dlpi_phdr[i];
            if (part.p_type != PT_LOAD) continue;
            from = std::min(from, (uintptr_t)(info->dlpi_addr + part.p_vaddr));
            to = std::max(to, (uintptr_t)(info->dlpi_addr + part.p_vaddr + part.p_memsz));
        }
        uintptr_t me = (uintptr_t)&find_image;
        if (me < from || me >= to) return 0;
        image_from = from, image_to = to;
        return 1;
    }, nullptr);
}

static bool is_local(uintptr_t a) {
    uintptr_t stack = (uintptr_t)block.current->context.stack;
    return (a >= stack && a < stack + stack_bytes) || (a >= image_from && a < image_to);
}

// An instruction's address must be a multiple of its size. An array of int8 read as int4 may begin anywhere, unless it
// is declared with __align__: another variable before it, and it fails.
static void check_alignment(uintptr_t a, unsigned bytes, uintptr_t pc, const Place& place) {
    if (bytes > 16 || (bytes & (bytes - 1))) return;
    if (place.shared && bytes > place.alignment)
        note("misaligned", nullptr, pc, print("%u bytes of %s, which is aligned to %lu: declare it with __align__(%u)",
                                              bytes, place.name.c_str(), place.alignment, bytes));
    if (a % bytes == 0) return;
    note("misaligned", nullptr, pc, print("%u bytes at an address that is no multiple of %u", bytes, bytes));
    leave_kernel();
}

// `aligned`: the instruction demands an address that is a multiple of its size.
void traced(const void* address, unsigned bytes, Access access, const void* caller, bool aligned) {
    if (!block.current) return;
    uintptr_t a = (uintptr_t)address, pc = (uintptr_t)caller - 1;
    if (time_is_up) {
        note("timeout", nullptr, pc, timeout_message());
        leave_kernel();
    }
    if (!tracing || is_local(a)) return;
    int place = find_place(a, bytes);
    if (place < 0) {
        note("bounds", nullptr, pc, outside(a, bytes, access));
        leave_kernel();
    }
    if (aligned) check_alignment(a, bytes, pc, places[place]);
    unsigned id = instruction(pc, place, access, bytes);
    count(id, (uint32_t)(a - places[place].from));
    check_races(id, a, bytes);
}

// ---- what the scheduler and the copies tell

void trace_launch() {
    if (!tracing) return;
    forget_variables();
    first_run_of_launch = blocks_started + 1;
}
void trace_block_begins() {
    if (!tracing) return;
    finish_requests();              // of a launch that ended in a fault
    clocks_start();
}
void trace_block_barrier() {
    if (!tracing) return;
    finish_requests();
    clocks_meet_all();
}
void trace_warp_barrier(unsigned warp, unsigned lanes) {
    if (tracing) clocks_meet(warp, lanes);
}
void trace_block_ends() {
    if (tracing) finish_requests();
}
void trace_copy_flies(const Copy& c) {
    if (!tracing) return;
    if (c.filled) traced(c.from, c.filled, LOAD, c.pc, c.filled == c.bytes);
    traced(c.to, c.bytes, ASYNC, c.pc);
    copy_takes_off(c);
}
void trace_copy_lands(const Copy& c) {
    if (tracing) copy_touches_down(c);
}
// The 128 threads of a warpgroup share out a product's tiles, 16 bytes each at a time: 8 neighbours take the 8 rows that
// the tensor core reads together. Requests and wavefronts are counted at the issue. What happens to the tile until the wait
// is no business of others: at the wait it is looked at again.
static void trace_tile(uint64_t descriptor, unsigned rows, const Product& p, bool issued) {
    Tile t = tile(descriptor);
    for (unsigned n = here.linear % 128; n < rows * 2; n += 128) {      // 8 rows of a chunk, of the other, the next 8
        char* at = arena.bytes + offset_of(t, n / 16 * 8 + n % 8, n / 8 % 2);
        if (issued) traced(at, 16, TENSOR, p.pc, false);
        else if (int place = find_place((uintptr_t)at, 16); place >= 0)
            check_races(instruction((uintptr_t)p.pc - 1, place, TENSOR, 16), (uintptr_t)at, 16);
    }
}
void trace_product(const Product& p, bool issued) {
    if (!tracing) return;
    trace_tile(p.a, 64, p, issued);
    trace_tile(p.b, p.columns, p, issued);
}
void trace_proxy_fence() {
    ++proxy_fences[here.linear];
    fenced_past[here.linear] = passed_by_all;
}
void trace_allocation(void* p, size_t bytes) {
    if (tracing) add_place((uintptr_t)p, bytes, "memory from cudaMalloc", false, 256);
}

}  // namespace qk

#define QK_HOOK(name, n, access, aligned) \
    void __tsan_##name##n(void* a) { qk::traced(a, n, qk::access, __builtin_return_address(0), aligned); }
#define QK_HOOKS(n)                               \
    QK_HOOK(read, n, LOAD, true)                  \
    QK_HOOK(write, n, STORE, true)                \
    QK_HOOK(volatile_read, n, LOAD, true)         \
    QK_HOOK(volatile_write, n, STORE, true)       \
    QK_HOOK(unaligned_read, n, LOAD, false)       \
    QK_HOOK(unaligned_write, n, STORE, false)     \
    QK_HOOK(unaligned_volatile_read, n, LOAD, false) \
    QK_HOOK(unaligned_volatile_write, n, STORE, false)

#pragma GCC visibility push(hidden)   // several libraries in one process never hook each other
extern "C" {
QK_HOOKS(1) QK_HOOKS(2) QK_HOOKS(4) QK_HOOKS(8) QK_HOOKS(16)
// A struct of another size: in pieces of up to 16 bytes, as a GPU would.
void __tsan_read_range(void* a, size_t n) {
    for (size_t i = 0; i < n; i += 16)
        qk::traced((char*)a + i, (unsigned)std::min<size_t>(16, n - i), qk::LOAD, __builtin_return_address(0), false);
}
void __tsan_write_range(void* a, size_t n) {
    for (size_t i = 0; i < n; i += 16)
        qk::traced((char*)a + i, (unsigned)std::min<size_t>(16, n - i), qk::STORE, __builtin_return_address(0), false);
}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_init() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
}
#pragma GCC visibility pop

#define QK_EXPORT extern "C" __attribute__((visibility("default")))
QK_EXPORT void qk_trace_buffer(void* p, size_t bytes, const char* name) {
    qk::add_place((uintptr_t)p, bytes, name, false, 16);
}
QK_EXPORT void qk_trace_start() {
    qk::find_image();
    qk::clear_requests();
    qk::races.clear();
    qk::tracing = true;
}
// Lines for Python; the count of characters, whether or not they fitted.
QK_EXPORT size_t qk_trace_report(char* out, size_t capacity) {
    qk::tracing = false;
    std::string all = qk::report_requests() + qk::report_races();
    if (all.size() < capacity) {
        memcpy(out, all.c_str(), all.size() + 1);
        qk::clear_requests();
        qk::races.clear();
        qk::places.clear();
    }
    return all.size();
}
