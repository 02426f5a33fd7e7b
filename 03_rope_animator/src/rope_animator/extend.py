"""Stretching a rotary model beyond the length it was trained at, by changing its frequencies.

Letters: P pairs, s the factor by which the context grows. Every scheme returns `Scaled`: new frequencies and the
factor that multiplies cos and sin. It reaches queries and keys alike, so that scores grow by its square.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float64, Real
from torch import Tensor

from .sinusoidal import frequencies, wavelengths


class Scaled(NamedTuple):
    """Frequencies in radians per token, and the temperature that multiplies both queries and keys."""

    frequencies: Tensor
    temperature: float = 1.0


def interpolate(positions: Real[Tensor, "*N"], trained: int, length: int) -> Float64[Tensor, "*N"]:
    """Position interpolation (Chen et al. 2023, eq. 4): squeeze `length` positions into the `trained` ones.

    p becomes p trained / length, so that no angle is larger than in training; neighbours stand closer than one apart,
    which the model has not seen either, but between seen places rather than beyond them.
    A text no longer than `trained` keeps its positions: squeezing it would spoil what needs no help.

    Raises ValueError if trained or length is below 1.
    """
    if trained < 1 or length < 1:
        raise ValueError(f"trained = {trained}, length = {length}: both are numbers of tokens, at least 1")
    return positions.double() * min(1.0, trained / length)


def linear(dim: int, base: float, factor: float) -> Scaled:
    """Position interpolation again, as frequencies: (p / s) theta = p (theta / s)."""
    return Scaled(frequencies(dim, base) / check_factor(factor))


def ntk_aware(dim: int, base: float, factor: float) -> Scaled:
    """A larger base (bloc97 2023): the slowest pair slows down by s, the fastest keeps its pace.

    The slowest frequency is base^(-(d - 2)/d); for it to shrink by s the base must grow by s^(d / (d - 2)).
    """
    if dim < 4:
        raise ValueError(
            f"dim = {dim}: NTK-aware scaling spreads the factor over pairs and needs two of them, dim >= 4"
        )
    return Scaled(frequencies(dim, base * check_factor(factor) ** (dim / (dim - 2))))


def dynamic_ntk(dim: int, base: float, factor: float, trained: int, length: int) -> Scaled:
    """NTK-aware with a factor that follows the text (emozilla 2023): nothing changes up to the trained length."""
    growth = check_factor(factor) * max(length, trained) / trained - (factor - 1)
    return ntk_aware(dim, base, growth)


def yarn(dim: int, base: float, factor: float, trained: int, beta_fast: float = 32.0, beta_slow: float = 1.0) -> Scaled:
    """YaRN (Peng et al. 2023, section 3): fast pairs stay, slow pairs are interpolated, a ramp lies between.

    A pair that makes more than beta_fast turns over the trained length has seen every angle and stays; one that makes
    fewer than beta_slow is divided by s. The ramp is linear in the index of the pair, its ends rounded outwards, as in
    the authors' code. Temperature 0.1 ln s + 1, their fit to perplexities of Llama models.
    """
    theta, pairs = frequencies(dim, base), torch.arange(dim // 2, dtype=torch.float64)

    def pair_with(turns: float) -> float:
        return dim * math.log(trained / (2 * math.pi * turns)) / (2 * math.log(base))

    low = max(math.floor(pair_with(beta_fast)), 0)
    high = min(math.ceil(pair_with(beta_slow)), dim - 1)
    slow = ((pairs - low) / (high - low if high != low else 0.001)).clamp(0, 1)
    stretched = theta / check_factor(factor) * slow + theta * (1 - slow)
    return Scaled(stretched, 0.1 * math.log(factor) + 1.0)


def llama3(
    dim: int, base: float, factor: float, trained: int, low_turns: float = 1.0, high_turns: float = 4.0
) -> Scaled:
    """Llama 3.1's scheme (Grattafiori et al. 2024; Meta's released code): YaRN's idea with a ramp in turns.

    Pairs that make more than high_turns over the trained length stay, those with fewer than low_turns are divided by
    s, and between the two the weight of the old frequency is linear in the number of turns.
    """
    theta = frequencies(dim, base)
    keep = ((trained / wavelengths(theta) - low_turns) / (high_turns - low_turns)).clamp(0, 1)
    return Scaled(keep * theta + (1 - keep) * theta / check_factor(factor))


def check_factor(factor: float) -> float:
    """The factor itself, or ValueError if it would shrink the context."""
    if not factor >= 1:
        raise ValueError(f"factor = {factor}: a context grows by a factor of at least 1")
    return factor
