// What went wrong, as text that Python reads: one line a fault, fields between tabs.
//     kind  file  line  offset-in-library  block  thread  message
#pragma once
#include <stdarg.h>
#include <stdio.h>
#include <dlfcn.h>
#include <string>
#include <vector>

namespace qk QK_HIDDEN {

struct Fault {
    std::string kind, file;
    int line = 0;
    uintptr_t offset = 0;      // where the file is not known: an address in this library, for addr2line
    uint3 block{}, thread{};
    bool inside = false;       // a CUDA thread was running
    std::string message;
};
inline std::vector<Fault> faults;
inline cudaError_t last_error = cudaSuccess;
constexpr size_t most_faults = 100;

inline uintptr_t library_base() {
    Dl_info info;
    return dladdr((void*)&library_base, &info) ? (uintptr_t)info.dli_fbase : 0;
}
inline std::string vformat(const char* format, va_list list) {
    char text[512];
    vsnprintf(text, sizeof text, format, list);
    return text;
}
inline std::string print(const char* format, ...) {
    va_list list;
    va_start(list, format);
    std::string text = vformat(format, list);
    va_end(list);
    return text;
}
bool in_kernel();

// The same fault at the same place is kept once: a thousand threads make it a thousand times.
inline void note(const char* kind, const Site* site, uintptr_t pc, const std::string& message) {
    Fault f{kind, site ? site->file : "", site ? site->line : 0, pc ? pc - library_base() : 0, {}, {}, false, message};
    if ((f.inside = in_kernel())) f.block = here.block, f.thread = here.thread;
    for (const Fault& old : faults)
        if (old.kind == f.kind && old.file == f.file && old.line == f.line && old.offset == f.offset) return;
    if (faults.size() < most_faults) faults.push_back(f);
}

inline double seconds_allowed = 0;     // for one launch, of this process's time; 0: no limit
inline volatile bool time_is_up = false;
inline std::string timeout_message() {
    return print("the kernel still runs after %g s: does its loop end?", seconds_allowed);
}

}  // namespace qk

extern "C" __attribute__((visibility("default"))) size_t qk_take_faults(char* out, size_t capacity) {
    std::string all;
    for (const qk::Fault& f : qk::faults) {
        std::string where = f.inside ? qk::print("%u,%u,%u\t%u,%u,%u", f.block.x, f.block.y, f.block.z, f.thread.x,
                                                 f.thread.y, f.thread.z)
                                     : "\t";
        std::string offset = qk::print("%lx", (unsigned long)f.offset);
        all += f.kind + "\t" + f.file + "\t" + std::to_string(f.line) + "\t" + offset + "\t" + where + "\t";
        all += f.message + "\n";
    }
    if (all.size() < capacity) {
        memcpy(out, all.c_str(), all.size() + 1);
        qk::faults.clear();
    }
    return all.size();
}
