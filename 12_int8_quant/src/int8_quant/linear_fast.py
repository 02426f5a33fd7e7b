"""The W8A8 layer on the processor's own int8 products: `torch._int_mm` sums in int32 with VNNI or tensor cores.

Equal to linear.py: the sums are the same integers. Before and after the product the tokens are taken in blocks, so that
a block stays in the processor's cache between the passes: finding the largest, rounding, applying both scales. Codes of
finite numbers need no clamp in float32. A single input channel goes the plain way: there the library's product is wrong
on CPUs (torch 2.13).

On a GPU, and in bfloat16, the passes are not cut into blocks, and nothing waits for the device. A GPU's product needs
more than 16 tokens, so that fewer are filled up with rows of zeros.

Dimensions:
    T tokens   I input channels   O output channels
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int8
from torch import Tensor

from .linear import WeightOnlyLinear, int8_linear

BLOCK = 128  # tokens


def fast_int8_linear(
    x: Float[Tensor, "T I"], codes: Int8[Tensor, "O I"], scales: Float[Tensor, "O 1"], bias: Tensor | None = None
) -> Float[Tensor, "T O"]:
    """`int8_linear` for float32.

    Raises:
        ValueError: another dtype, or NaN or infinity in x.
    """
    if x.dtype != torch.float32:
        raise ValueError(f"dtype={x.dtype}: the fast form takes float32; use int8_linear")
    if codes.shape[1] == 1:
        return int8_linear(x, codes, scales, bias)
    x_codes, x_scales = torch.empty(x.shape, dtype=torch.int8), x.new_empty(len(x), 1)
    for rows, scale, code in zip(x.split(BLOCK), x_scales.split(BLOCK), x_codes.split(BLOCK), strict=True):
        torch.linalg.vector_norm(rows, torch.inf, dim=1, keepdim=True, out=scale)
        scale.div_(127).masked_fill_(scale == 0, 1)
        code.copy_((rows / scale).round_())
    if not x_scales.isfinite().all():
        raise ValueError("x: holds NaN or infinity, which have no code; find where they come from")
    sums, y = torch._int_mm(x_codes, codes.T), x.new_empty(len(x), len(codes))
    for out, part, scale in zip(y.split(BLOCK), sums.split(BLOCK), x_scales.split(BLOCK), strict=True):
        torch.mul(part, scale, out=out).mul_(scales.T)
    return y if bias is None else y.add_(bias)


def whole_int8_linear(
    x: Float[Tensor, "T I"], codes: Int8[Tensor, "O I"], scales: Float[Tensor, "O 1"], bias: Tensor | None = None
) -> Float[Tensor, "T O"]:
    """`int8_linear` in few passes, for any dtype: scales and sums are multiplied in float32.

    NaN or infinity in a token come out in its row: to refuse them would mean to wait for the device.

    Raises:
        ValueError: input or output channels that are no multiple of 8.
    """
    if codes.shape[0] % 8 or codes.shape[1] % 8:
        raise ValueError(f"codes={tuple(codes.shape)}: a GPU's int8 product takes multiples of 8; use int8_linear")
    largest = torch.linalg.vector_norm(x, torch.inf, dim=1, keepdim=True, dtype=torch.float32)
    x_scales = torch.where(largest == 0, 1, largest / 127)
    x_codes = (x / x_scales).round().to(torch.int8)
    sums = torch._int_mm(F.pad(x_codes, (0, 0, 0, rows_to_add(len(x)))), codes.T)[: len(x)]
    y = sums * x_scales * scales.T
    return (y if bias is None else y + bias).to(x.dtype)


def rows_to_add(tokens: int) -> int:
    """What is missing to a multiple of 8 that is at least 32."""
    return max(32, -(-tokens // 8) * 8) - tokens


class FastW8A8Linear(WeightOnlyLinear):
    """W8A8Linear on `torch._int_mm`."""

    def forward(self, x: Float[Tensor, "*batch I"]) -> Float[Tensor, "*batch O"]:
        whole = x.is_cuda or x.dtype == torch.bfloat16
        product = whole_int8_linear if whole else fast_int8_linear
        y = product(x.flatten(0, -2), self.codes, self.scales, self.bias)
        return y.unflatten(0, x.shape[:-1])
