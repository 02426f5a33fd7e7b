"""The int8 GEMM: `tl.dot` on int8 blocks becomes the tensor core's instruction, IMMA, or IGMMA on Hopper."""

import torch
import triton
import triton.language as tl
from jaxtyping import Float32, Int8
from torch import Tensor


@triton.jit
def w8a8_kernel(a, w, sa, sw, c, M, N, K: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    # Programs run in groups of 8 rows of blocks. Neighbours share columns of w: what one reads, the next finds in L2.
    pid, blocks_n, blocks_m = tl.program_id(0), tl.cdiv(N, BN), tl.cdiv(M, BM)
    first = pid // (8 * blocks_n) * 8
    group = min(blocks_m - first, 8)
    m = (first + pid % (8 * blocks_n) % group) * BM + tl.arange(0, BM)
    n = pid % (8 * blocks_n) // group * BN + tl.arange(0, BN)
    sums = tl.zeros((BM, BN), tl.int32)
    for k0 in range(0, K, BK):
        k = k0 + tl.arange(0, BK)
        x = tl.load(a + m[:, None] * K + k[None, :], (m[:, None] < M) & (k[None, :] < K), 0)
        y = tl.load(w + n[None, :] * K + k[:, None], (n[None, :] < N) & (k[:, None] < K), 0)
        sums = tl.dot(x, y, sums, out_dtype=tl.int32)
    scale = tl.load(sa + m, m < M, 0.0)[:, None] * tl.load(sw + n, n < N, 0.0)[None, :]
    tl.store(c + m[:, None] * N + n[None, :], scale * sums.to(tl.float32), (m[:, None] < M) & (n[None, :] < N))


def linear_w8a8(
    a: Int8[Tensor, "M K"],
    w: Int8[Tensor, "N K"],
    scale_a: Float32[Tensor, " M"],
    scale_w: Float32[Tensor, " N"],
    block: tuple[int, int, int] = (128, 256, 128),
    num_warps: int = 8,
    num_stages: int = 3,  # Hopper's; less before
) -> Float32[Tensor, "M N"]:
    """As linear_w8a8 of the package. K is a compile-time constant, so a new K compiles anew."""
    (m, k), n = a.shape, len(w)
    c = torch.empty(m, n, device=a.device)
    grid = (triton.cdiv(m, block[0]) * triton.cdiv(n, block[1]),)
    options = {"num_warps": num_warps, "num_stages": num_stages}
    bm, bn, bk = block
    w8a8_kernel[grid](a, w, scale_a, scale_w, c, m, n, k, BM=bm, BN=bn, BK=bk, **options)
    return c
