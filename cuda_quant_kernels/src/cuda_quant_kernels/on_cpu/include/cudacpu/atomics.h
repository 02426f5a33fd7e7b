// Atomics. One CUDA thread runs at a time, so reading and writing back is atomic by itself; the tracer is told that the
// pair is one atomic access, which races with ordinary ones only.
#pragma once

template <class T, class F> QK_UNTRACED inline T qk_atomic(T* p, F&& update, const void* pc) {
    qk::traced(p, sizeof(T), qk::ATOMIC, pc);
    T old = *p;
    *p = update(old);
    return old;
}
// V is deduced on its own so that atomicAdd(float*, int) converts as it does on a GPU.
#define QK_ATOMIC(name, expression)                                                                  \
    template <class T, class V> QK_CALLED T name(T* p, V given) {                                    \
        T v = (T)given;                                                                              \
        return qk_atomic(p, [v](T old) QK_UNTRACED -> T { return (T)(expression); }, __builtin_return_address(0)); \
    }                                                                                                \
    template <class T, class V> QK_CALLED T name##_block(T* p, V given) {                            \
        T v = (T)given;                                                                              \
        return qk_atomic(p, [v](T old) QK_UNTRACED -> T { return (T)(expression); }, __builtin_return_address(0)); \
    }
QK_ATOMIC(atomicAdd, old + v)
QK_ATOMIC(atomicSub, old - v)
QK_ATOMIC(atomicMax, old > v ? old : v)
QK_ATOMIC(atomicMin, old < v ? old : v)
QK_ATOMIC(atomicExch, (static_cast<void>(old), v))
QK_ATOMIC(atomicAnd, old & v)
QK_ATOMIC(atomicOr, old | v)
QK_ATOMIC(atomicXor, old ^ v)
QK_ATOMIC(atomicInc, old >= v ? 0 : old + 1)
QK_ATOMIC(atomicDec, old == 0 || old > v ? v : old - 1)

template <class T> QK_CALLED T atomicCAS(T* p, std::common_type_t<T> expected, std::common_type_t<T> wanted) {
    T old = qk_atomic(p, [&](T o) QK_UNTRACED -> T { return o == expected ? wanted : o; }, __builtin_return_address(0));
    if (old != expected) qk::yield();   // a thread that spins on a lock must let its holder run
    return old;
}
