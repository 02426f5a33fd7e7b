"""NormalFloat: sixteen levels at the quantiles of a normal distribution (Dettmers et al. 2023, QLoRA, appendix E).

Trained weights are nearly normal. Levels that are dense near zero and sparse outside give each code about as many
weights. Seven levels are negative, one is zero, eight are positive; −1 and 1 are among them.

Dimensions:
    N numbers   K blocks   S numbers of a block
"""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

NF4_LEVELS = torch.tensor(
    [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
     -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
     0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023,
     1.0]
)  # fmt: skip


def nf4_quantize(x: Float[Tensor, "*shape"], block_size: int = 64) -> tuple[UInt8[Tensor, "half"], Float[Tensor, "K"]]:
    """Two codes in each byte, and the largest magnitude of each block of `block_size` neighbours.

    A code is the index of the nearest level of x / absmax. The first of two neighbours is in the high four bits.

    Raises:
        ValueError: the numbers do not fill whole blocks, or a block has an odd size.
    """
    if block_size % 2 or x.numel() % block_size:
        raise ValueError(f"block_size={block_size}: must be even and divide the {x.numel()} numbers; pad them")
    blocks = x.reshape(-1, block_size)  # K S
    absmax = blocks.abs().amax(dim=1)
    scaled = blocks / absmax.masked_fill(absmax == 0, 1)[:, None]
    levels = NF4_LEVELS.to(x.dtype)
    middles = (levels[1:] + levels[:-1]) / 2
    codes = torch.bucketize(scaled, middles).reshape(-1, 2)  # N/2 2
    return (codes[:, 0] * 16 + codes[:, 1]).to(torch.uint8), absmax


def nf4_dequantize(packed: UInt8[Tensor, "half"], absmax: Float[Tensor, "K"]) -> Float[Tensor, "N"]:
    """The numbers that the codes stand for, in one row."""
    codes = torch.stack((packed >> 4, packed & 15), dim=1).long()  # N/2 2
    return (NF4_LEVELS.to(absmax.dtype)[codes].reshape(len(absmax), -1) * absmax[:, None]).flatten()


def double_quantize(absmax: Float[Tensor, "K"], block_size: int = 256) -> tuple[Tensor, Tensor, Tensor]:
    """The absmax of blocks are positive and alike: 8 bits hold them less their mean (QLoRA, section 3).

    Returns codes (int8), one scale for each `block_size` of them, and the mean. A weight's share of its block's absmax
    falls from 32/64 = 0.5 bits to 8/64 + 32/(64 · 256) = 0.127.
    """
    mean = absmax.mean()
    padded = torch.nn.functional.pad(absmax - mean, (0, -len(absmax) % block_size)).reshape(-1, block_size)
    largest = padded.abs().amax(dim=1)
    scales = largest.masked_fill(largest == 0, 1) / 127
    codes = (padded / scales[:, None]).round().to(torch.int8)
    return codes.flatten()[: len(absmax)], scales, mean


def double_dequantize(codes: Tensor, scales: Tensor, mean: Tensor, block_size: int = 256) -> Float[Tensor, "K"]:
    """The blocks' absmax again."""
    return codes * scales.repeat_interleave(block_size)[: len(codes)] + mean
