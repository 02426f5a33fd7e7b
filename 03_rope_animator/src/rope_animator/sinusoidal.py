"""Positions as sines and cosines added to the embeddings (Vaswani et al. 2017, section 3.5).

Letters: T positions, D width of the embedding, P = D/2 pairs of coordinates.
"""

import torch
from jaxtyping import Float, Float64
from torch import Tensor


def frequencies(dim: int, base: float = 10_000.0) -> Float64[Tensor, "P"]:
    """Angle that each pair of coordinates turns per position, theta_i = base^(-2i/dim), in radians per token.

    The same geometric ladder serves the sinusoidal table (Vaswani et al. 2017, section 3.5) and the rotary
    embedding (Su et al. 2021, section 3.2.2): from one radian per token down to nearly 1/base.
    In float64, because the angle is position times frequency: an error of 1e-7 in a frequency is an error
    of 0.01 radians a hundred thousand tokens later.

    Raises ValueError if dim is odd or below 2, or base is not positive.
    """
    if dim < 2 or dim % 2:
        raise ValueError(f"dim = {dim}: coordinates turn in pairs, so dim must be even and at least 2")
    if not base > 0:
        raise ValueError(f"base = {base}: the base of the frequencies must be positive")
    return base ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)


def wavelengths(theta: Float64[Tensor, "P"]) -> Float64[Tensor, "P"]:
    """Tokens in which each pair completes one turn, 2 pi / theta."""
    return 2 * torch.pi / theta


def sinusoidal_table(length: int, dim: int, base: float = 10_000.0) -> Float[Tensor, "T D"]:
    """Rows to be added to the embeddings: sin(p theta_i) in column 2i, cos(p theta_i) in column 2i + 1.

    Vaswani et al. 2017, section 3.5. A pair (sin, cos) rather than a sine alone, because the pair at p + k is then
    a rotation of the pair at p, by an angle that depends on k only. The rotary embedding keeps exactly that.

    Raises ValueError if length is below 1, or dim or base is not one that `frequencies` takes.
    """
    if length < 1:
        raise ValueError(f"length = {length}: a table needs at least one position")
    angle = torch.arange(length, dtype=torch.float64)[:, None] * frequencies(dim, base)  # T P
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1).float()  # T P 2 -> T D
