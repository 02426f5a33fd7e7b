"""Linear layers with quantized weights: check the arguments, make the outputs, launch the kernel.

`target` as in quantization.py.

Dimensions:
    M tokens, K inputs, N outputs; G groups of 128 inputs
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .arguments import aligned, check_tensor, index_of, require
from .int4 import GROUP_SIZE
from .launch import Tracing, default_target, launch

GEMV_VERSIONS = ("thread", "warp", "tensor_core")
LARGEST_K = 2**17 - 1  # 2^17 products of (-128)^2 are 2^31, one more than int32 holds
LARGEST_GRID = 65535  # blocks in the second dimension of a grid


@dataclass(frozen=True)
class GemmVersion:
    """A version of the W8A8 GEMM: its launcher, the width of its accesses in K, the rows of a block."""

    name: str
    launcher: str
    k_multiple: int
    tile_m: int


GEMMS = (
    GemmVersion("naive", "gemm_w8a8", 1, 8),
    GemmVersion("coalesced", "gemm_w8a8", 1, 1),
    GemmVersion("tiled", "gemm_w8a8", 1, 32),
    GemmVersion("dp4a", "gemm_w8a8", 4, 64),
    GemmVersion("mma", "gemm_w8a8_tensor", 16, 128),
    GemmVersion("wgmma", "gemm_w8a8_tensor", 16, 128),
)
GEMM_VERSIONS = tuple(version.name for version in GEMMS)


def linear_w8a8(
    a: Tensor,  # int8 (M, K)
    w: Tensor,  # int8 (N, K)
    scale_a: Tensor,  # float32 (M,)
    scale_w: Tensor,  # float32 (N,)
    *,
    version: str = "mma",
    target: str | Tracing | None = None,
) -> Float[Tensor, "M N"]:
    """scale_a[m] scale_w[n] sum_k a[m,k] w[n,k]: int8 operands, exact int32 sums, float32 result.

    Raises:
        ValueError: dtype, shape or device; a K that is no multiple of the version's access (4 for dp4a, 16 for mma and
            wgmma) or at which an int32 sum could overflow (from 131072 on); more rows than the grid holds.
        RuntimeError: version "wgmma" on a GPU that is not a Hopper.
    """
    check_tensor("a", a, (torch.int8,), 2)
    check_tensor("w", w, (torch.int8,), 2, like=a)
    check_tensor("scale_a", scale_a, (torch.float32,), 1, like=a)
    check_tensor("scale_w", scale_w, (torch.float32,), 1, like=a)
    number = index_of("version", version, GEMM_VERSIONS)
    (m, k), n, gemm = a.shape, len(w), GEMMS[number]
    require(w.shape[1] == k, f"w.shape={tuple(w.shape)}: must have K={k} columns, as a; store a row for each output")
    require(len(scale_a) == m, f"scale_a.shape={tuple(scale_a.shape)}: a has {m} rows; give a scale for each")
    require(len(scale_w) == n, f"scale_w.shape={tuple(scale_w.shape)}: w has {n} rows; give a scale for each")
    _check_gemm(gemm, m, k, aligned(a, w))
    c = torch.empty(m, n, dtype=torch.float32, device=a.device)
    launch(gemm.launcher, number, a, w, scale_a, scale_w, c, m, n, k, target=target or default_target(a))
    return c


def _check_gemm(gemm: GemmVersion, m: int, k: int, is_aligned: bool) -> None:
    step, largest_m = gemm.k_multiple, gemm.tile_m * LARGEST_GRID
    require(k <= LARGEST_K, f"K={k}: int32 sums are exact up to K={LARGEST_K}; split K and add the results")
    require(k % step == 0, f"K={k}: {gemm.name} needs a multiple of {step}; pad K with zeros, or take version='tiled'")
    require(step == 1 or is_aligned, f"version={gemm.name!r}: a and w must be 16-byte aligned; pass a copy, .clone()")
    require(m <= largest_m, f"M={m}: {gemm.name} allows {largest_m} rows; split a")


def linear_w4a16(
    x: Tensor,  # float16 (M, K)
    packed: Tensor,  # int32 (N, K / 8)
    scale: Tensor,  # float16 (N, G)
    *,
    version: str = "tensor_core",
    target: str | Tracing | None = None,
) -> Float[Tensor, "M N"]:
    """x times 4-bit weights, in fp16. `packed` and `scale` are those of `quantize_int4`.

    Raises:
        ValueError: dtype, shape or device; M not 1 to 16; K not a multiple of 128.
    """
    check_tensor("x", x, (torch.float16,), 2)
    check_tensor("packed", packed, (torch.int32,), 2, like=x)
    check_tensor("scale", scale, (torch.float16,), 2, like=x)
    (m, k), n = x.shape, len(packed)
    number, words, groups = index_of("version", version, GEMV_VERSIONS), (n, k // 8), (n, k // GROUP_SIZE)
    require(m <= 16, f"M={m}: this kernel takes 1 to 16 tokens; dequantize, or use W8A8, for more")
    require(k % GROUP_SIZE == 0, f"K={k}: must be a multiple of {GROUP_SIZE}; pad x and the weights with zeros")
    require(tuple(packed.shape) == words, f"packed.shape={tuple(packed.shape)}: must be {words}; use quantize_int4")
    require(tuple(scale.shape) == groups, f"scale.shape={tuple(scale.shape)}: must be {groups}; use quantize_int4")
    require(aligned(x, packed), "x, packed: must be 16-byte aligned; pass a copy, .clone()")
    y = torch.empty(m, n, dtype=torch.float16, device=x.device)
    launcher = "gemm_w4a16" if version == "tensor_core" else "gemv_w4a16"
    launch(launcher, number, packed, scale, x, y, m, n, k, target=target or default_target(x))
    return y
