"""A scale for each row, one read: the row stays in the program's registers between the maximum and the writing."""

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Float32, Int8
from torch import Tensor


@triton.jit
def quantize_rows_kernel(x, q, scale, cols, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    c = tl.arange(0, BLOCK)
    v = tl.load(x + row * cols + c, c < cols, 0.0).to(tl.float32)
    s = tl.div_rn(tl.max(tl.abs(v), 0), 127.0)  # `/` is an approximation on a GPU, right to two units
    s = tl.where(s == 0.0, 1.0, s)
    y = v * tl.div_rn(1.0, s)
    y = (y + 12582912.0) - 12582912.0  # adding 1.5 * 2^23 leaves no bits after the point: nearest, ties to even
    tl.store(q + row * cols + c, y.to(tl.int8), c < cols)
    tl.store(scale + row, s)


def quantize_rows(x: Float[Tensor, "R C"]) -> tuple[Int8[Tensor, "R C"], Float32[Tensor, " R"]]:
    """(q, scale) as quantize of the package gives them. A row with NaN has a NaN scale.

    Raises:
        ValueError: a row is longer than a program's registers hold (65536).
    """
    rows, cols = x.shape
    if cols > 65536:
        raise ValueError(f"x={cols} columns: a program keeps a row in registers, up to 65536; use the CUDA kernel")
    q, scale = torch.empty_like(x, dtype=torch.int8), torch.empty(rows, device=x.device)
    block = triton.next_power_of_2(cols)
    # An fma of v, 1 / s and 1.5 * 2^23 would round once, where the product and its rounding to a code round twice.
    options = {"num_warps": min(16, max(1, block // 512)), "enable_fp_fusion": False}
    quantize_rows_kernel[(rows,)](x, q, scale, cols, BLOCK=block, **options)
    return q, scale
