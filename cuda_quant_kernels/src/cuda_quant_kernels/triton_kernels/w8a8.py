"""The int8 GEMM: `tl.dot` on int8 blocks becomes the tensor core's instruction, IMMA, or IGMMA on Hopper.

A and W are passed as tensor descriptors: base, shape, strides and the shape of a block. On Hopper a load of one is a
single instruction of a single thread, and the chip's copy engine (TMA) fetches the block, with zeros beyond the edges.
Before Hopper the compiler makes pointers and masks of it, and does not copy ahead, so the kernel is slower there.
"""

import torch
import triton
import triton.language as tl
from jaxtyping import Float32, Int8
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor


@triton.jit
def w8a8_kernel(a, w, sa, sw, c, M, N, K: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    # Programs run in groups of 8 rows of blocks. Neighbours share columns of w: what one reads, the next finds in L2.
    pid, blocks_n, blocks_m = tl.program_id(0), tl.cdiv(N, BN), tl.cdiv(M, BM)
    first = pid // (8 * blocks_n) * 8
    group = min(blocks_m - first, 8)
    m0 = (first + pid % (8 * blocks_n) % group) * BM
    n0 = pid % (8 * blocks_n) // group * BN
    sums = tl.zeros((BM, BN), tl.int32)
    for k0 in range(0, K, BK):
        sums = tl.dot(a.load([m0, k0]), w.load([n0, k0]).T, sums, out_dtype=tl.int32)
    m, n = m0 + tl.arange(0, BM), n0 + tl.arange(0, BN)
    scale = tl.load(sa + m, m < M, 0.0)[:, None] * tl.load(sw + n, n < N, 0.0)[None, :]
    tl.store(c + m[:, None] * N + n[None, :], scale * sums.to(tl.float32), (m[:, None] < M) & (n[None, :] < N))


def linear_w8a8(
    a: Int8[Tensor, "M K"],
    w: Int8[Tensor, "N K"],
    scale_a: Float32[Tensor, " M"],
    scale_w: Float32[Tensor, " N"],
    block: tuple[int, int, int] = (128, 256, 128),
    num_warps: int = 8,
    num_stages: int = 4,  # Hopper's shared memory; less before
) -> Float32[Tensor, "M N"]:
    """As linear_w8a8 of the package, K a multiple of 16. K is a compile-time constant, so a new K compiles anew."""
    (m, k), n = a.shape, len(w)
    bm, bn, bk = block
    c = torch.empty(m, n, device=a.device)
    rows, columns = TensorDescriptor.from_tensor(a, [bm, bk]), TensorDescriptor.from_tensor(w, [bn, bk])
    options = {"num_warps": num_warps, "num_stages": num_stages}
    grid = (triton.cdiv(m, bm) * triton.cdiv(n, bn),)
    w8a8_kernel[grid](rows, columns, scale_a, scale_w, c, m, n, k, BM=bm, BN=bn, BK=bk, **options)
    return c
