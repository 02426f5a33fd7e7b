// The instructions that CUDA C++ has no name for, under one name on a GPU (inline PTX, here) and on a CPU (emulated, in
// cudacpu/async_copy.h and cudacpu/tensor_core.h). Include this file in a kernel; it is the only inline PTX a kernel
// that is to run on both needs. Shapes and layouts: PTX manual, "mma.sync", "ldmatrix", "cp.async".
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#ifndef QK_ON_CPU

#define QK_PTX __device__ __forceinline__

// (x & mask) | bits in one instruction. The compiler makes two of it where both are constants, because an instruction has
// room for one.
QK_PTX unsigned and_or(unsigned x, unsigned mask, unsigned bits) {
    unsigned out;
    asm("lop3.b32 %0, %1, %2, %3, 0xea;\n" : "=r"(out) : "r"(x), "r"(mask), "r"(bits));
    return out;
}

// Copies 16 (8, 4) bytes from global to shared memory without passing through registers. Bytes from `filled` on are
// zero and are not read: a ragged edge needs no branch. Both addresses aligned to the size.
QK_PTX void cp_async16(void* to, const void* from, unsigned filled = 16) {
    unsigned at = (unsigned)__cvta_generic_to_shared(to);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(at), "l"(from), "r"(filled) : "memory");
}
QK_PTX void cp_async8(void* to, const void* from, unsigned filled = 8) {
    unsigned at = (unsigned)__cvta_generic_to_shared(to);
    asm volatile("cp.async.ca.shared.global [%0], [%1], 8, %2;\n" ::"r"(at), "l"(from), "r"(filled) : "memory");
}
QK_PTX void cp_async4(void* to, const void* from, unsigned filled = 4) {
    unsigned at = (unsigned)__cvta_generic_to_shared(to);
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;\n" ::"r"(at), "l"(from), "r"(filled) : "memory");
}
QK_PTX void cp_async_commit() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }
// Waits until at most `groups` of this thread's latest groups are still flying. Other threads' bytes need a barrier.
template <int groups> QK_PTX void cp_async_wait() {
    asm volatile("cp.async.wait_group %0;\n" ::"n"(groups) : "memory");
}
QK_PTX void cp_async_wait_all() { asm volatile("cp.async.wait_all;\n" ::: "memory"); }

// c += a b, one warp: a 16x32 int8 by rows, b 32x8 int8 by columns, c 16x8 int32.
QK_PTX void mma_m16n8k32_s8(int (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
        : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#define QK_MMA_16BIT(name, type)                                                                              \
    QK_PTX void name(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {                         \
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." type "." type                                   \
                     ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"                           \
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])                                         \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                     \
    }
QK_MMA_16BIT(mma_m16n8k16_f16, "f16")     // c += a b: a 16x16 half by rows, b 16x8 half by columns, c 16x8 float
QK_MMA_16BIT(mma_m16n8k16_bf16, "bf16")

// Loads N 8x8 matrices of 16-bit values from shared memory; lane 8i + r gives the address of row r of matrix i.
#define QK_LDMATRIX(name, N, trans, registers, ...)                                                          \
    QK_PTX void name(unsigned (&out)[N], const void* row) {                                                  \
        unsigned at = (unsigned)__cvta_generic_to_shared(row);                                               \
        asm volatile("ldmatrix.sync.aligned.m8n8.x" #N trans ".shared.b16 {" registers ";\n"                 \
                     : __VA_ARGS__ : "r"(at) : "memory");                                                    \
    }
#define QK_FOUR "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
QK_LDMATRIX(ldmatrix_x1, 1, "", "%0}, [%1]", "=r"(out[0]))
QK_LDMATRIX(ldmatrix_x2, 2, "", "%0,%1}, [%2]", "=r"(out[0]), "=r"(out[1]))
QK_LDMATRIX(ldmatrix_x4, 4, "", "%0,%1,%2,%3}, [%4]", QK_FOUR)
QK_LDMATRIX(ldmatrix_x2_trans, 2, ".trans", "%0,%1}, [%2]", "=r"(out[0]), "=r"(out[1]))
QK_LDMATRIX(ldmatrix_x4_trans, 4, ".trans", "%0,%1,%2,%3}, [%4]", QK_FOUR)

#endif
