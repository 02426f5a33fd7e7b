"""GPTQ, column by column: round one column of a weight, and let the columns to come repair its error.

A layer should keep its outputs, not its weights. For inputs X the squared error of the outputs is a quadratic form with
the Hessian H = XᵀX (times two), the same for each row of the weight. Optimal brain quantization (Frantar and Alistarh
2022) rounds one weight, and moves the others by what best repairs the outputs: −error · H⁻¹_jk / H⁻¹_jj. GPTQ takes the
columns in one order for all rows (Frantar et al. 2023, algorithm 1). Then each step's H⁻¹ is a part of one Cholesky
factor U with UᵀU = H⁻¹: row j of U holds what column j needs.

Dimensions:
    O output channels   I input channels   N calibration tokens
"""

import torch
from jaxtyping import Float, Int8
from torch import Tensor

from ..absmax import largest_code


def inverse_factor(hessian: Float[Tensor, "I I"], damping: int | float) -> Float[Tensor, "I I"]:
    """U, upper triangular, with UᵀU = (H + λ·1)⁻¹; λ is `damping` times the mean of H's diagonal.

    Without λ, an input channel that is always zero makes H singular.
    """
    damped = hessian.clone()
    damped.diagonal().add_(damping * hessian.diagonal().mean())
    return torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(damped)), upper=True)


def gptq_quantize(
    weight: Float[Tensor, "O I"], inputs: Float[Tensor, "N I"], bits: int = 4, damping: int | float = 0.01
) -> tuple[Int8[Tensor, "O I"], Float[Tensor, "O 1"]]:
    """Codes and one scale for each row. The scales are those of the weight as it came."""
    limit = largest_code(bits)
    factor = inverse_factor(inputs.T @ inputs, damping)
    largest = weight.abs().amax(dim=1, keepdim=True)  # O 1
    scales = torch.where(largest > 0, largest / limit, 1)
    remaining = weight.clone()
    codes = []
    for j in range(len(factor)):
        column = remaining[:, j : j + 1]  # O 1
        rounded = (column / scales).round().clamp(-limit, limit)
        error = (column - rounded * scales) / factor[j, j]
        remaining -= error * factor[j]
        codes.append(rounded)
    return torch.cat(codes, dim=1).to(torch.int8), scales


def output_error(weight: Tensor, rounded: Tensor, hessian: Float[Tensor, "I I"]) -> float:
    """The squared error of the outputs on the calibration tokens, as a fraction of the outputs themselves."""
    difference = rounded - weight
    return float(((difference @ hessian) * difference).sum() / ((weight @ hessian) * weight).sum())
