"""The same kernels in Triton, where a program works on a block of elements and the compiler decides about threads.

Shared memory, the asynchronous copies and the tensor core's fragments of gemm_w8a8.cu are all there, and none of them
is written: compare the length. What is left to choose is the shape of the blocks, the warps and the pipeline's depth.
They run on a GPU, in Triton's interpreter (TRITON_INTERPRET=1, set before triton is imported), and can be compiled to
machine code without a GPU (compiled.py).
"""
