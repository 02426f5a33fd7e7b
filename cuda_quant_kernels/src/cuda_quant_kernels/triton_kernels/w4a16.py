"""Four-bit weights, dequantized in registers on the way into `tl.dot`.

fp16 and not bf16, because Triton's interpreter computes bf16 `tl.dot` wrongly, and these kernels are checked there.
"""

import torch
import triton
import triton.language as tl
from jaxtyping import Float16, Int32
from torch import Tensor


@triton.jit
def w4a16_kernel(x, packed, scale, y, M, N, K: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr):
    n, m, lane = tl.program_id(0) * BN + tl.arange(0, BN), tl.arange(0, BM), tl.arange(0, 128)
    sums = tl.zeros((BM, BN), tl.float32)
    for k0 in range(0, K, 128):  # a group of 128 at a time: one scale for each output
        k = k0 + lane
        xs = tl.load(x + m[:, None] * K + k[None, :], m[:, None] < M, 0.0)
        words = tl.load(packed + n[None, :] * (K // 8) + (k // 8)[:, None], n[None, :] < N, 0)
        q = ((words >> ((k % 8) * 4)[:, None]) & 15) - 8
        part = tl.dot(xs, q.to(tl.float16), out_dtype=tl.float32)
        sums += part * tl.load(scale + n * (K // 128) + k0 // 128, n < N, 0.0).to(tl.float32)[None, :]
    tl.store(y + m[:, None] * N + n[None, :], sums.to(tl.float16), (m[:, None] < M) & (n[None, :] < N))


def linear_w4a16(
    x: Float16[Tensor, "M K"], packed: Int32[Tensor, "N words"], scale: Float16[Tensor, "N G"], block: int = 64
) -> Float16[Tensor, "M N"]:
    """As linear_w4a16 of the package, for 1 to 16 tokens: `tl.dot` needs 16 rows, and the missing ones are zeros."""
    (m, k), n = x.shape, len(packed)
    y = torch.empty(m, n, dtype=torch.float16, device=x.device)
    w4a16_kernel[(triton.cdiv(n, block),)](x, packed, scale, y, m, n, k, BM=16, BN=block, num_warps=4, num_stages=3)
    return y
