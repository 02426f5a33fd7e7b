// kernel<T><<<grid, block, bytes, stream>>>(args) arrives here, rewritten by rewrite.py as
//     qk::launch(site, [&](auto... a) { kernel<T>(a...); }, qk::Shape(grid, block, bytes, stream), args)
#pragma once
#include <tuple>
#include <utility>

namespace qk QK_HIDDEN {

struct Shape {
    dim3 grid, block;
    unsigned long dynamic_bytes;
    Shape(dim3 g, dim3 b, unsigned long bytes = 0, const void* /*stream: launches run at once, in order*/ = nullptr)
        : grid(g), block(b), dynamic_bytes(bytes) {}
};
void run_grid(const Site* site, const Shape& shape, void (*body)(void*), void* argument);

template <class Kernel, class Args, std::size_t... I>
QK_UNTRACED inline void call(Kernel& kernel, Args& args, std::index_sequence<I...>) { kernel(std::get<I>(args)...); }

template <class Kernel, class... A>
QK_UNTRACED void launch(const Site* site, Kernel kernel, const Shape& shape, A... args) {
    struct Call { Kernel kernel; std::tuple<A...> args; } all{kernel, std::tuple<A...>(args...)};   // evaluated once
    struct Thread {
        QK_UNTRACED static void body(void* p) {
            Call& c = *static_cast<Call*>(p);
            call(c.kernel, c.args, std::index_sequence_for<A...>());
        }
    };
    run_grid(site, shape, &Thread::body, &all);
}

}  // namespace qk

// The overloads that nvcc adds to the C API.
template <class... A>
inline cudaError_t cudaFuncSetAttribute(void (*kernel)(A...), cudaFuncAttribute which, int value) {
    return ::cudaFuncSetAttribute((const void*)kernel, which, value);
}
template <class T> inline cudaError_t cudaMemcpyToSymbol(T& symbol, const void* from, size_t bytes, size_t offset = 0) {
    return ::cudaMemcpy((char*)&symbol + offset, from, bytes, cudaMemcpyHostToDevice);
}
