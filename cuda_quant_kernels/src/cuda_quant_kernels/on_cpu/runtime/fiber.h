// One fiber per CUDA thread: a stack of its own, and a switch that saves and restores what the ABI says a call must.
// A dozen instructions on x86-64; the slower, portable swapcontext (a system call each way) everywhere else.
#pragma once
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define QK_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define QK_ASAN 1
#endif
#endif
#ifdef QK_ASAN   // the sanitizer must be told which stack it looks at
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__x86_64__) && !defined(QK_UCONTEXT)
#define QK_ASSEMBLY_SWITCH 1
extern "C" QK_HIDDEN void qk_switch(void** save, void* to);
#if defined(__APPLE__)
#define QK_NAME "_qk_switch"
#else
#define QK_NAME "qk_switch"
#endif
asm(".text\n.globl " QK_NAME "\n" QK_NAME R"(:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");
#else
#if defined(__APPLE__)
#define _XOPEN_SOURCE 600
#endif
#include <ucontext.h>
#endif

namespace qk QK_HIDDEN {

#ifdef QK_ASAN
constexpr size_t stack_bytes = 256 << 10;   // instrumented frames are several times as large
#else
constexpr size_t stack_bytes = 64 << 10;
#endif

struct Context {
#ifdef QK_ASSEMBLY_SWITCH
    void* sp = nullptr;
#else
    ucontext_t context;
#endif
    char* stack = nullptr;      // lowest address; the page below is out of bounds, so that an overflow is a fault
    void* fake = nullptr;       // the sanitizer's own
    const void* bottom = nullptr;
    size_t size = 0;
};

inline char* new_stack() {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void* p = mmap(nullptr, stack_bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) abort();
    mprotect(p, page, PROT_NONE);
    return (char*)p + page;
}

inline void prepare(Context& fiber, char* stack, void (*entry)()) {
    fiber.stack = stack;
    fiber.fake = nullptr;
    fiber.bottom = stack;
    fiber.size = stack_bytes;
#ifdef QK_ASAN
    __asan_unpoison_memory_region(stack, stack_bytes);
#endif
#ifdef QK_ASSEMBLY_SWITCH
    void** sp = (void**)(stack + stack_bytes);
    *--sp = nullptr;            // stands for a return address: at entry the stack is 8 off a multiple of 16
    *--sp = (void*)entry;
    for (int i = 0; i < 6; ++i) *--sp = nullptr;
    fiber.sp = sp;
#else
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = stack;
    fiber.context.uc_stack.ss_size = stack_bytes;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, entry, 0);
#endif
}

// Leaves `from` and continues `to`; returns when somebody switches back. `last`: nobody ever will.
inline void switch_to(Context& from, Context& to, bool last = false) {
    (void)last;
#ifdef QK_ASAN
    __sanitizer_start_switch_fiber(last ? nullptr : &from.fake, to.bottom, to.size);
#endif
#ifdef QK_ASSEMBLY_SWITCH
    qk_switch(&from.sp, to.sp);
#else
    swapcontext(&from.context, &to.context);
#endif
#ifdef QK_ASAN
    __sanitizer_finish_switch_fiber(from.fake, nullptr, nullptr);
#endif
}

// The first thing on a new fiber: learns where the stack it came from lies.
inline void arrived(Context& from) {
    (void)from;
#ifdef QK_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &from.bottom, &from.size);
#endif
}

}  // namespace qk
