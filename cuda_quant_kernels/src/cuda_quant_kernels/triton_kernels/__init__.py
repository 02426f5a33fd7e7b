"""The same kernels in Triton, where a program works on a block of elements and the compiler decides about threads.

The compiled code has the shared memory, the asynchronous copies and the fragments of gemm_w8a8_tensor.cu; the source
writes none of them. What is left to choose is the shape of the blocks, the warps and the pipeline's depth. The kernels
run on a GPU, and in Triton's interpreter (set TRITON_INTERPRET=1 before triton is imported). compiled.py compiles them
to machine code without a GPU.
"""
