// A wild address, a division by zero, or abort ends the launch and not the process: for as long as a kernel runs, the
// signal is taken as a fault at the kernel's line, and the scheduler goes on from where the launch began. Under the
// sanitizer it is left to the sanitizer, which says more.
#pragma once
#include "block.h"
#include "faults.h"
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>

namespace qk QK_HIDDEN {

#ifdef QK_ASAN
struct SignalGuard {};
#else

inline uintptr_t program_counter(void* context) {
    (void)context;
#if defined(__linux__) && defined(__x86_64__)
    return (uintptr_t)((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__linux__) && defined(__aarch64__)
    return (uintptr_t)((ucontext_t*)context)->uc_mcontext.pc;
#else
    return 0;
#endif
}

struct SignalGuard;
inline SignalGuard* active_guard = nullptr;

struct SignalGuard {
    static constexpr int number[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGILL, SIGVTALRM};
    static constexpr int count = 6;
    struct sigaction before[count];
    stack_t stack_before;
    pthread_t thread = pthread_self();

    SignalGuard() {
        static char stack[64 << 10];          // a fiber that overflowed its own cannot run a handler
        stack_t mine{};
        mine.ss_sp = stack;
        mine.ss_size = sizeof stack;
        sigaltstack(&mine, &stack_before);
        struct sigaction action{};
        action.sa_sigaction = handle;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        active_guard = this;
        for (int i = 0; i < count; ++i) sigaction(number[i], &action, &before[i]);
        time_is_up = false;
        set_timer(seconds_allowed);
    }
    ~SignalGuard() {
        set_timer(0);
        for (int i = 0; i < count; ++i) sigaction(number[i], &before[i], nullptr);
        sigaltstack(&stack_before, nullptr);
        active_guard = nullptr;
    }
    static void set_timer(double seconds) {
        if (seconds_allowed <= 0) return;
        itimerval t{};
        t.it_value.tv_sec = (time_t)seconds;
        t.it_value.tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6);
        setitimer(ITIMER_VIRTUAL, &t, nullptr);
    }
    static void handle(int signal, siginfo_t* info, void* context) {
        if (!pthread_equal(pthread_self(), active_guard->thread)) {
            if (signal == SIGVTALRM) {                      // the timer may interrupt any thread of the process
                pthread_kill(active_guard->thread, signal);
                return;
            }
            for (int i = 0; i < count; ++i)                     // another thread's own affair: as if we were not here
                if (number[i] == signal) sigaction(signal, &active_guard->before[i], nullptr);
            return;
        }
        if (signal == SIGVTALRM && (!time_is_up || !block.current)) {
            time_is_up = true;                              // seen at the next access or barrier; if there is none, at
            return set_timer(0.1);                          // the next tick
        }
        if (!block.current) {                               // the scheduler itself: not the kernel's fault
            ::signal(signal, SIG_DFL);
            return;
        }
        report(signal, info, program_counter(context));
        block.aborted = true;
        siglongjmp(block.out, 1);
    }
    static void report(int signal, siginfo_t* info, uintptr_t pc) {
        if (signal == SIGVTALRM) {
            note("timeout", nullptr, pc, timeout_message());
        } else if (signal == SIGFPE) {
            note("arithmetic", nullptr, pc, "an integer is divided by zero");
        } else if (signal == SIGABRT || signal == SIGILL) {
            note("abort", nullptr, pc, "the kernel gave up by abort or __trap");
        } else {
            char *at = (char*)info->si_addr, *stack = block.current->context.stack;
            bool overflow = stack && at < stack && at >= stack - 65536;
            note(overflow ? "stack" : "address", nullptr, pc,
                 overflow ? "the thread's stack is full: local arrays or recursion too large"
                          : print("an access to address %p, where there is no memory", (void*)at));
        }
    }
};
#endif

}  // namespace qk

extern "C" __attribute__((visibility("default"))) void qk_set_seconds(double seconds) { qk::seconds_allowed = seconds; }
