// The part of the CUDA runtime API that launchers use. There is one device, its memory is the host's, and everything
// has happened by the time a call returns.
#pragma once
#include "launch.h"

// A device assert that does not hold ends the launch; on the host it is what it always is.
extern "C" [[noreturn]] QK_HIDDEN void __assert_fail(const char* claim, const char* file, unsigned line,
                                                     const char*) noexcept {
    const qk::Site site{file, (int)line};
    if (qk::in_kernel()) qk::fatal("assert", &site, "assert(%s) does not hold", claim);
    fprintf(stderr, "%s:%u: assert(%s) does not hold\n", file, line, claim);
    abort();
}

#define QK_API extern "C" __attribute__((visibility("hidden"))) cudaError_t

QK_API cudaGetLastError() { cudaError_t e = qk::last_error; qk::last_error = cudaSuccess; return e; }
QK_API cudaPeekAtLastError() { return qk::last_error; }
QK_API cudaDeviceSynchronize() { return qk::last_error; }
QK_API cudaStreamSynchronize(cudaStream_t) { return qk::last_error; }
QK_API cudaGetDevice(int* device) { *device = 0; return cudaSuccess; }
QK_API cudaSetDevice(int) { return cudaSuccess; }
QK_API cudaGetDeviceCount(int* count) { *count = 1; return cudaSuccess; }
extern "C" QK_HIDDEN const char* cudaGetErrorString(cudaError_t e) {
    return e == cudaSuccess ? "no error" : e == cudaErrorInvalidConfiguration ? "invalid configuration argument"
                                                                             : "unspecified launch failure";
}
extern "C" QK_HIDDEN const char* cudaGetErrorName(cudaError_t e) {
    return e == cudaSuccess ? "cudaSuccess" : e == cudaErrorInvalidConfiguration ? "cudaErrorInvalidConfiguration"
                                                                                : "cudaErrorLaunchFailure";
}
QK_API cudaFuncSetAttribute(const void*, enum cudaFuncAttribute attribute, int value) {
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
    if ((unsigned long)value > qk::dynamic_bytes_at_most) return cudaErrorInvalidValue;
    qk::dynamic_bytes_allowed = std::max(qk::dynamic_bytes_allowed, (unsigned long)value);   // for every kernel
    return cudaSuccess;
}
namespace qk QK_HIDDEN { inline int capability = 9; }
extern "C" __attribute__((visibility("default"))) void qk_set_capability(int major) { qk::capability = major; }
QK_API cudaDeviceGetAttribute(int* value, enum cudaDeviceAttr attribute, int) {   // an H200's
    switch (attribute) {
        case cudaDevAttrMultiProcessorCount: *value = 132; return cudaSuccess;
        case cudaDevAttrWarpSize: *value = 32; return cudaSuccess;
        case cudaDevAttrMaxThreadsPerBlock: *value = 1024; return cudaSuccess;
        case cudaDevAttrMaxSharedMemoryPerBlock: *value = 48 << 10; return cudaSuccess;
        case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = 227 << 10; return cudaSuccess;
        case cudaDevAttrComputeCapabilityMajor: *value = qk::capability; return cudaSuccess;
        case cudaDevAttrComputeCapabilityMinor: *value = 0; return cudaSuccess;
        default: return cudaErrorInvalidValue;
    }
}
QK_API cudaMalloc(void** p, size_t bytes) {
    if (posix_memalign(p, 256, bytes ? bytes : 1)) return cudaErrorMemoryAllocation;
    qk::trace_allocation(*p, bytes);
    return cudaSuccess;
}
QK_API cudaMallocAsync(void** p, size_t bytes, cudaStream_t) { return cudaMalloc(p, bytes); }
QK_API cudaFree(void* p) { free(p); return cudaSuccess; }
QK_API cudaFreeAsync(void* p, cudaStream_t) { free(p); return cudaSuccess; }
QK_API cudaMemset(void* p, int value, size_t bytes) { memset(p, value, bytes); return cudaSuccess; }
QK_API cudaMemsetAsync(void* p, int value, size_t bytes, cudaStream_t) { return cudaMemset(p, value, bytes); }
QK_API cudaMemcpy(void* to, const void* from, size_t bytes, enum cudaMemcpyKind) {
    memmove(to, from, bytes);
    return cudaSuccess;
}
QK_API cudaMemcpyAsync(void* to, const void* from, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t) {
    return cudaMemcpy(to, from, bytes, kind);
}
