"""Optimal brain quantization, the ancestor of GPTQ: for each row, the cheapest weight is rounded next.

It inverts nothing anew: after a column is fixed, its row and column are eliminated from H⁻¹ by one Gaussian step. The
cost grows with O · I³, which is why GPTQ gave up the greedy order (Frantar and Alistarh 2022, algorithm 3).

Dimensions:
    O output channels   I input channels
"""

import torch
from jaxtyping import Float, Int8
from torch import Tensor

from ..absmax import largest_code
from ..granularity import quantize_channels


def obq_quantize(
    weight: Float[Tensor, "O I"], hessian: Float[Tensor, "I I"], bits: int = 4, damping: int | float = 0.01
) -> tuple[Int8[Tensor, "O I"], Float[Tensor, "O 1"]]:
    """Codes and one scale for each row, greedily: the weight whose rounding costs the outputs least comes next."""
    limit = largest_code(bits)
    scales = quantize_channels(weight, bits)[1]
    damped = hessian + damping * hessian.diagonal().mean() * torch.eye(len(hessian), dtype=hessian.dtype)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    codes = torch.zeros_like(weight, dtype=torch.int8)
    for row in range(len(weight)):
        w, scale, left = weight[row].clone(), scales[row, 0], inverse.clone()
        todo = torch.ones(len(w), dtype=torch.bool)
        for _ in range(len(w)):
            rounded = (w / scale).round().clamp(-limit, limit)
            cost = (w - rounded * scale).square() / left.diagonal().masked_fill(~todo, 1)
            j = int(cost.masked_fill(~todo, torch.inf).argmin())
            codes[row, j] = rounded[j].to(torch.int8)
            error = (w[j] - rounded[j] * scale) / left[j, j]
            w -= error * left[j] * todo
            left -= torch.outer(left[:, j], left[j]) / left[j, j]
            todo[j] = False
    return codes, scales
