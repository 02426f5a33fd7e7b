"""Who shares a scale: a whole tensor, a row (channel or token), or a group of neighbours in a row.

A scale serves the largest number that it covers. The fewer numbers share one, the less they pay for the largest.

Dimensions:
    O rows of a weight = output channels   I columns = input channels   G groups of a row   T tokens
"""

import torch
from jaxtyping import Float, Int8
from torch import Tensor

from .absmax import check_finite, largest_code


def quantize_groups(
    weight: Float[Tensor, "O I"], group_size: int, bits: int = 8
) -> tuple[Int8[Tensor, "O I"], Float[Tensor, "O G"]]:
    """Codes, and one scale for every `group_size` neighbours of a row. A group of a whole row is "per channel".

    Raises:
        ValueError: the groups do not fill a row, or NaN or infinity in the weight.
    """
    check_finite(weight)
    if weight.shape[1] % group_size:
        raise ValueError(f"group_size={group_size}: must divide the {weight.shape[1]} columns; no group crosses a row")
    limit = largest_code(bits)
    groups = weight.unflatten(1, (-1, group_size))  # O G size
    largest = groups.abs().amax(dim=2)  # O G
    scales = torch.where(largest > 0, largest / limit, 1)
    codes = (groups / scales[:, :, None]).round().clamp(-limit, limit)
    return codes.flatten(1).to(torch.int8), scales


def dequantize_groups(codes: Int8[Tensor, "O I"], scales: Float[Tensor, "O G"]) -> Float[Tensor, "O I"]:
    """The numbers that the codes stand for."""
    groups = codes.unflatten(1, (scales.shape[1], -1))
    return (groups * scales[:, :, None]).flatten(1)


def quantize_channels(weight: Float[Tensor, "O I"], bits: int = 8) -> tuple[Int8[Tensor, "O I"], Float[Tensor, "O 1"]]:
    """One scale for each row of a weight (an output channel)."""
    return quantize_groups(weight, weight.shape[1], bits)


def quantize_tokens(x: Float[Tensor, "T I"], bits: int = 8) -> tuple[Int8[Tensor, "T I"], Float[Tensor, "T 1"]]:
    """One scale for each token. A token's row is quantized when it arrives: nothing is calibrated."""
    return quantize_groups(x, x.shape[1], bits)


def bits_per_weight(codes: Tensor, scales: Tensor, bits: int, scale_bits: int = 16) -> float:
    """What a weight costs with its share of the scales: 4-bit codes in groups of 64 take 4.25 bits."""
    return bits + scale_bits * scales.numel() / codes.numel()
