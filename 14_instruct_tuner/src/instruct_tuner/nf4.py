"""NF4 (Dettmers et al. 2023): four bits a weight, with levels where a normal distribution has its weights.

A block of weights is divided by its largest magnitude; each is replaced by the nearest of 16 levels. The levels are
quantiles of the normal distribution, with an exact zero.

Dimensions:
    N numbers   K blocks: N / block_size
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int8, UInt8
from torch import Tensor

NF4 = torch.tensor(  # from the QLoRA paper, appendix E
    [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
     -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
     0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]
)  # fmt: skip


def quantize_nf4(
    x: Float[Tensor, "*shape"], block_size: int = 64
) -> tuple[UInt8[Tensor, "*shape"], Float[Tensor, "K"]]:
    """(codes 0 to 15 in the shape of x, the largest magnitude of each block). Blocks run along the flat order.

    Neither output has a gradient. A block of zeros has the code of level 0 everywhere and a magnitude of 0.

    Raises:
        ValueError: the numbers do not fill whole blocks, or one is NaN or infinite.
    """
    if x.numel() % block_size:
        raise ValueError(f"x.numel()={x.numel()}: no multiple of block_size={block_size}; pad it or change the size")
    if not x.isfinite().all():
        raise ValueError("x: holds NaN or infinity; one such number spoils its block")
    blocks = x.detach().float().reshape(-1, block_size)  # K block_size
    absmax = blocks.abs().amax(1)
    scaled = blocks / absmax.clamp(min=torch.finfo(torch.float32).tiny)[:, None]
    codes = (scaled[..., None] - NF4).abs().argmin(-1)
    return codes.to(torch.uint8).reshape(x.shape), absmax


def dequantize_nf4(codes: UInt8[Tensor, "*shape"], absmax: Float[Tensor, "K"]) -> Float[Tensor, "*shape"]:
    """The level of each code times the magnitude of its block."""
    blocks = NF4[codes.int()].reshape(len(absmax), -1)
    return (blocks * absmax[:, None]).reshape(codes.shape)


def pack_nibbles(codes: UInt8[Tensor, "*shape"]) -> UInt8[Tensor, "bytes"]:
    """Two codes a byte, the first in the high half. An odd number of codes is a ValueError."""
    if codes.numel() % 2:
        raise ValueError(f"codes.numel()={codes.numel()}: two codes share a byte; the number must be even")
    high, low = codes.reshape(-1, 2).unbind(1)
    return high << 4 | low


def unpack_nibbles(packed: UInt8[Tensor, "bytes"]) -> UInt8[Tensor, "codes"]:
    """The codes of `pack_nibbles`, flat."""
    return torch.stack([packed >> 4, packed & 15], 1).flatten()


class DoubleQuantized(NamedTuple):
    """Magnitudes in 8 bits: `offset + scale · codes`, a scale for each 256 of them."""

    codes: Int8[Tensor, "K"]
    scale: Float[Tensor, "groups"]
    offset: Float[Tensor, ""]

    def dequantized(self) -> Float[Tensor, "K"]:
        return self.offset + self.codes.float() * self.scale.repeat_interleave(256)[: len(self.codes)]


def double_quantize(absmax: Float[Tensor, "K"]) -> DoubleQuantized:
    """Quantize the quantization's constants: 32 bits for each 64 weights become 8, and 32 for each 16,384.

    That is 4 + 8/64 + 32/16,384 = 4.127 bits a weight where 4.5 were. The mean is taken off first, for magnitudes are
    all positive. QLoRA stores them as 8-bit floats; here they are 8-bit integers, of the same size.
    """
    offset = absmax.mean()
    centered = torch.nn.functional.pad(absmax - offset, (0, -len(absmax) % 256)).reshape(-1, 256)
    scale = centered.abs().amax(1) / 127
    codes = (centered / scale.clamp(min=1e-30)[:, None]).round().to(torch.int8)
    return DoubleQuantized(codes.flatten()[: len(absmax)], scale, offset)
