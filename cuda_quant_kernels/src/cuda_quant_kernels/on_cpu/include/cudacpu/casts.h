// (int)x of a float or double as a GPU makes it: what is too large becomes the nearest int, and NaN becomes 0. An x86
// processor gives INT_MIN for all of these, and C++ promises nothing. Other processors' own instruction does as a GPU's.
#pragma once
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
register double qk_cast __asm__("xmm15");      // two registers that the compiler leaves alone; before any function
register double qk_number __asm__("xmm14");
// The processor's instruction under the name that g++ writes becomes a macro; the name without l is still the instruction.
__asm__(R"(
    .pushsection .rodata
    .balign 8
.Lqk_int: .double 2147483647.0, -2147483648.0
    .popsection
    .macro qk_to_int to
        movapd %xmm15, %xmm14
        cmpordsd %xmm14, %xmm14
        andpd %xmm14, %xmm15
        minsd .Lqk_int(%rip), %xmm15
        maxsd .Lqk_int+8(%rip), %xmm15
        cvttsd2si %xmm15, \to
    .endm
    .macro qk_cast load, a, b, c, d         # commas in (%rdi,%rsi,4) part an operand: the last part is the int's register
    .ifnb \d
        \load \a, \b, \c, %xmm15
        qk_to_int \d
    .else
    .ifnb \c
        \load \a, \b, %xmm15
        qk_to_int \c
    .else
        \load \a, %xmm15
        qk_to_int \b
    .endif
    .endif
    .endm
    .macro cvttss2sil all:vararg
        qk_cast cvtss2sd, \all
    .endm
    .macro cvttsd2sil all:vararg
        qk_cast movsd, \all
    .endm
)");
#endif
