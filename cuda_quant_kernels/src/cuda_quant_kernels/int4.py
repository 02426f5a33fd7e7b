"""Four-bit weights: symmetric groups of 128, eight weights to a 32-bit word, a scale in fp16.

    word    bits 31..28  27..24  23..20  19..16  15..12  11..8   7..4    3..0
    weight       7         6       5       4       3       2      1       0        each stored as q + 8, from 1 to 15

Dimensions:
    N outputs, K inputs of a linear layer; K / 8 words and G = K / 128 groups in a row
"""

import torch
from jaxtyping import Float, Float16, Int32
from torch import Tensor

GROUP_SIZE = 128  # as in kernels/warp.cuh
MAX_FP16 = torch.finfo(torch.float16).max
SUBNORMAL_STEP = 2.0**-24  # the distance of two fp16 numbers near zero


def quantize_int4(
    w: Tensor,  # floating point (N, K)
) -> tuple[Int32[Tensor, "N words"], Float16[Tensor, "N G"]]:
    """(packed, scale) with w = (q - 8) * scale to the nearest code, q from 1 to 15, and scale = absmax / 7.

    Raises:
        ValueError: w is not a floating-point matrix, holds NaN or infinity, or has a K that is no multiple of 128; or a
            group's scale is beyond fp16.
    """
    _check_weights(w)
    n, k = w.shape
    groups = w.float().reshape(n, k // GROUP_SIZE, GROUP_SIZE)
    scale = _fp16_scale(groups.abs().amax(2))
    q = (groups / scale.float()[:, :, None]).round().clamp(-7, 7).long() + 8
    return _pack(q.reshape(n, k // 8, 8)), scale


def _check_weights(w: Tensor) -> None:
    if not w.is_floating_point() or w.dim() != 2 or not w.numel():
        raise ValueError(
            f"w={w.dtype} of shape {tuple(w.shape)}: must be a non-empty floating-point matrix; convert it"
        )
    if w.shape[1] % GROUP_SIZE:
        raise ValueError(f"K={w.shape[1]}: must be a multiple of {GROUP_SIZE}; pad the weights with zeros")
    if not w.isfinite().all():
        raise ValueError("w=NaN or infinity: no scale can represent them; clean the weights first")
    if (largest := w.abs().max().item()) > 7 * MAX_FP16:
        raise ValueError(
            f"w={largest:g} at most: scales are fp16, so 7 * {MAX_FP16:g} is the limit; divide the weights"
        )


def _fp16_scale(absmax: Float[Tensor, "N G"]) -> Float16[Tensor, "N G"]:
    """absmax / 7 in fp16; 1 for a group of zeros.

    fp16 is coarse below 2^-14. Where rounding down would clip the group's largest weight, the next number is taken.
    """
    scale = (absmax / 7).half()
    clips = absmax > 7.5 * scale.float()
    scale = torch.where(clips, scale + SUBNORMAL_STEP, scale)
    return torch.where(absmax == 0, torch.ones_like(scale), scale)


def _pack(q: Tensor) -> Int32[Tensor, "N words"]:
    """Eight codes of the last dimension in a word, the first in the lowest bits."""
    words = sum(q[:, :, i] << 4 * i for i in range(8))
    return torch.where(words >= 2**31, words - 2**32, words).int()


def unpack_int4_words(packed: Int32[Tensor, "N words"]) -> Int32[Tensor, "N K"]:
    """The codes q from 0 to 15, in the order of k."""
    codes = [packed >> 4 * i & 15 for i in range(8)]
    return torch.stack(codes, -1).reshape(packed.shape[0], -1).int()
