"""Quantized CUDA kernels: one source that runs on a GPU and, thread by thread, on a CPU that watches it.

Read in this order:
    kernels/vector_add.cu     one byte a thread, then sixteen
    kernels/quantize.cu       scales per tensor, row and group; what has to be read twice, and what need not
    kernels/gemm_w8a8.cu      the ladder: naive, coalesced, tiled, dp4a, mma.sync, wgmma
    kernels/gemv_w4a16.cu     four-bit weights, where bytes are everything
    reference.py              what each of them must compute
    ops.py, launch.py         from tensors to kernels
    roofline.py, profile.py   what a kernel costs, counted; what that means on a machine
    exercises.py, checks.py   the seven tasks, under every check
    on_cpu/                   the emulator, the tracer, the sanitizer
    triton_kernels/           the same kernels in Triton

The seven tasks are functions of this package: `quantized_add`, `row_absmax`, `quantize_rows`, `coalesced_gemm`,
`tiled_gemm`, `dp4a_dot` and `unpack_int4` run the project's own kernels, with all checks on.
"""

from .exercises import Exercise as Exercise
from .ops import add_int8 as add_int8
from .ops import dequantize as dequantize
from .ops import linear_w4a16 as linear_w4a16
from .ops import linear_w8a8 as linear_w8a8
from .ops import quantize as quantize
from .tasks import coalesced_gemm as coalesced_gemm
from .tasks import dp4a_dot as dp4a_dot
from .tasks import quantize_rows as quantize_rows
from .tasks import quantized_add as quantized_add
from .tasks import row_absmax as row_absmax
from .tasks import tiled_gemm as tiled_gemm
from .tasks import unpack_int4 as unpack_int4
