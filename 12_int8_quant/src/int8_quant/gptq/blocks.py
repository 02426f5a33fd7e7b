"""GPTQ in blocks: the form that real models need, with groups and act-order (Frantar et al. 2023, section 3.3).

The column loop writes all columns to the right at each step, and waits for memory. Here a block of columns is finished
first, and its errors reach the rest of the matrix in one product. The weight is transposed, so that a column is a row
in memory. With `act_order` the columns with the largest inputs come first, while many others are left to repair them.

Two grids: "symmetric" (−7…7 for four bits) and "full" (sixteen codes: −8…7, scale = 2·max/15), which auto-gptq uses.

Dimensions:
    O output channels   I input channels   G groups of a row
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Int8
from torch import Tensor

from .column import inverse_factor

GRIDS = ("symmetric", "full")


class GPTQResult(NamedTuple):
    """`groups` says which column of `scales` each column of `codes` uses: w ≈ codes · scales[:, groups]."""

    codes: Int8[Tensor, "O I"]
    scales: Float[Tensor, "O G"]
    groups: Int[Tensor, "I"]

    def dequantize(self) -> Float[Tensor, "O I"]:
        return self.codes * self.scales[:, self.groups]


def limits(bits: int, grid: str) -> tuple[int, int, float]:
    """Lowest code, highest code, and the steps that the largest magnitude is divided into."""
    top = 2 ** (bits - 1)
    return (-top, top - 1, top - 0.5) if grid == "full" else (1 - top, top - 1, top - 1.0)


def gptq_blocks(
    weight: Float[Tensor, "O I"],
    hessian: Float[Tensor, "I I"],
    bits: int = 4,
    group_size: int | None = None,
    block_size: int = 128,
    act_order: bool = False,
    damping: int | float = 0.01,
    grid: str = "symmetric",
) -> GPTQResult:
    """GPTQ of a weight by the Hessian of its inputs. A group's scale is that of its columns when they are reached.

    Raises:
        ValueError: groups that do not fill a row, blocks that do not hold whole groups, or an unknown grid.
    """
    I = weight.shape[1]
    size = group_size or I
    if I % size or (size < I and block_size % size):
        raise ValueError(f"group_size={size}: must divide the {I} columns and block_size={block_size}")
    if grid not in GRIDS:
        raise ValueError(f"grid={grid!r}: must be one of {', '.join(GRIDS)}")
    low, high, steps = limits(bits, grid)
    order = hessian.diagonal().argsort(descending=True) if act_order else torch.arange(I)
    factor = inverse_factor(hessian[order][:, order], damping)
    remaining = weight.T[order].clone(memory_format=torch.contiguous_format)  # I O
    codes = torch.empty_like(remaining)
    scales = []
    for start in range(0, I, block_size):
        stop = min(start + block_size, I)
        block, errors = remaining[start:stop], torch.empty_like(remaining[start:stop])
        local = factor[start:stop, start:stop]
        for j in range(stop - start):
            if (start + j) % size == 0:
                end = start + j + size
                largest = remaining[start + j : end].abs().amax(dim=0)
                scale = (largest / steps).masked_fill_(largest == 0, 1)  # O
                scales.append(scale)
            rounded = (block[j] / scale).round_().clamp_(low, high)
            codes[start + j] = rounded
            errors[j] = (block[j] - rounded * scale) / local[j, j]
            block[j + 1 :] -= local[j, j + 1 :, None] * errors[j]
        remaining[stop:] -= factor[start:stop, stop:].T @ errors
    back = order.argsort()
    return GPTQResult(codes[back].T.to(torch.int8), torch.stack(scales, dim=1), (back // size))
