"""The W8A8 layer on the processor's own int8 products: `torch._int_mm` sums in int32 with VNNI or tensor cores.

Equal to linear.py: the sums are the same integers. The tokens are taken in blocks, so that a block's numbers, codes and
sums stay in the processor's cache between the passes: finding the largest, rounding, and applying both scales. Codes of
finite numbers need no clamp in float32. Sizes that are no multiple of 16 go the plain way: the library's kernel is not
right for all of them.
"""

import torch
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
    if codes.shape[0] % 16 or codes.shape[1] % 16:
        return int8_linear(x, codes, scales, bias)
    y = x.new_empty(len(x), len(codes))
    for rows, out in zip(x.split(BLOCK), y.split(BLOCK), strict=True):
        x_scales = torch.linalg.vector_norm(rows, torch.inf, dim=1, keepdim=True) / 127
        if not x_scales.isfinite().all():
            raise ValueError("x: holds NaN or infinity, which have no code; find where they come from")
        x_scales.masked_fill_(x_scales == 0, 1)
        x_codes = (rows / x_scales).round_().to(torch.int8)
        torch.mul(torch._int_mm(x_codes, codes.T), x_scales, out=out)
        out.mul_(scales.T)
    return y if bias is None else y.add_(bias)


class FastW8A8Linear(WeightOnlyLinear):
    """W8A8Linear on `torch._int_mm`."""

    def forward(self, x: Float[Tensor, "*batch I"]) -> Float[Tensor, "*batch O"]:
        y = fast_int8_linear(x.flatten(0, -2), self.codes, self.scales, self.bias)
        return y.unflatten(0, x.shape[:-1])
