"""Quantized CUDA kernels: one source that runs on a GPU and, thread by thread, on a CPU that watches it.

Read in this order:
    kernels/vector_add.cu       one byte a thread, then sixteen
    kernels/quantize.cu         scales per tensor and per row: what must be read twice
    kernels/quantize_groups.cu  scales per group of 128, and the way back
    kernels/gemm_w8a8.cu        the ladder of the int8 GEMM: naive, coalesced, tiled, dp4a
    kernels/gemm_w8a8_tensor.cu its last two steps: mma.sync and wgmma
    kernels/gemv_w4a16.cu       four-bit weights, where bytes decide; gemm_w4a16.cu on tensor cores
    oracle.py                   what each of them must compute
    int4.py                     how four-bit weights are packed
    quantization.py, linear.py  from tensors to kernels; arguments.py has the checks
    launch.py, build.py         from kernels to a GPU, or to one of three CPU builds
    roofline.py                 what counted work costs on a machine
    tasks/                      the seven tasks, and the checks that each attempt runs under
    on_cpu/                     side quest: the emulator, the tracer, the sanitizer
    triton_kernels/             side quest: the same kernels in Triton
    lab/                        how the numbers were made

The seven tasks are functions of this package: `quantized_add`, `row_absmax`, `quantize_rows`, `coalesced_gemm`,
`tiled_gemm`, `dp4a_dot` and `unpack_int4` run the project's own kernels, with all checks on.
"""

from .int4 import quantize_int4 as quantize_int4
from .linear import linear_w4a16 as linear_w4a16
from .linear import linear_w8a8 as linear_w8a8
from .quantization import add_int8 as add_int8
from .quantization import dequantize as dequantize
from .quantization import quantize as quantize
from .tasks import coalesced_gemm as coalesced_gemm
from .tasks import dp4a_dot as dp4a_dot
from .tasks import quantize_rows as quantize_rows
from .tasks import quantized_add as quantized_add
from .tasks import row_absmax as row_absmax
from .tasks import tiled_gemm as tiled_gemm
from .tasks import unpack_int4 as unpack_int4
from .tasks.source import CudaSource as CudaSource
