"""Reading texts longer than those in training, by changing the frequencies of a model with RoPE.

A pair is two coordinates that are rotated together, by angle p theta at position p. In the formulas:

    d  coordinates of a head (the argument `dim`): d / 2 pairs
    s  the factor by which the context grows (the argument `factor`)

`interpolate` changes the positions. Every other scheme returns a `RopeScaling`.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float64, Real
from torch import Tensor

from .rope import check_positions
from .sinusoidal import frequencies, wavelengths


class RopeScaling(NamedTuple):
    """New frequencies in radians per token, and the factor that multiplies queries and keys.

    `attention_factor` multiplies both, so that scores grow by its square. In the YaRN paper it is sqrt(1 / t), where
    t is the temperature of the softmax.
    """

    frequencies: Tensor
    attention_factor: float = 1.0


def interpolate(positions: Real[Tensor, "*N"], trained_len: int, seq_len: int) -> Float64[Tensor, "*N"]:
    """Position interpolation (Chen et al. 2023, eq. 4): squeeze `seq_len` positions into the `trained_len` known ones.

    Position p becomes p trained_len / seq_len, so that no angle is larger than in training. Neighbours are then
    closer than the model has seen. But their angles lie between angles that it has seen, and not beyond all of them.
    A text no longer than `trained_len` keeps its positions: it needs no help.

    Raises:
        TypeError: `positions` is not a tensor.
        ValueError: `trained_len` or `seq_len` is below 1, or the dtype of the positions cannot hold them exactly.
    """
    check_positions(positions)
    check_trained_len(trained_len)
    if seq_len < 1:
        raise ValueError(f"seq_len={seq_len}: a text has at least one token; use its length in tokens")
    return positions.double() * min(1.0, trained_len / seq_len)


def linear(dim: int, base: float, factor: float) -> RopeScaling:
    """Position interpolation, written as frequencies: (p / s) theta = p (theta / s).

    Raises:
        ValueError: `factor` is below 1.
    """
    check_factor(factor)
    return RopeScaling(frequencies(dim, base) / factor)


def ntk_aware(dim: int, base: float, factor: float) -> RopeScaling:
    """A larger base (bloc97 2023): the slowest pair is divided by s, the fastest stays.

    The slowest frequency is base^(-(d - 2)/d). For it to shrink by s, the base must grow by s^(d / (d - 2)).

    Raises:
        ValueError: `dim` is below 4, or `factor` below 1.
    """
    check_factor(factor)
    if dim < 4:
        raise ValueError(f"dim={dim}: NTK-aware scaling treats slow and fast pairs differently; use 4 or more")
    return RopeScaling(frequencies(dim, base * factor ** (dim / (dim - 2))))


def dynamic_ntk(dim: int, base: float, factor: float, trained_len: int, seq_len: int) -> RopeScaling:
    """NTK-aware with a factor that follows the text (emozilla 2023). Up to the trained length nothing changes.

    With n times the trained length, NTK-aware gets s n - (s - 1): it is 1 for n = 1 and n for s = 1.

    Raises:
        ValueError: `dim` is below 4, or `factor` or `trained_len` below 1.
    """
    check_factor(factor)
    check_trained_len(trained_len)
    growth = factor * max(seq_len, trained_len) / trained_len - (factor - 1)
    return ntk_aware(dim, base, growth)


def yarn(
    dim: int, base: float, factor: float, trained_len: int, beta_fast: float = 32.0, beta_slow: float = 1.0
) -> RopeScaling:
    """YaRN (Peng et al. 2023, section 3): fast pairs stay, slow pairs are interpolated, a ramp connects them.

    A pair with more than `beta_fast` rotations over the trained length has shown every angle and stays. A pair with
    fewer than `beta_slow` is divided by s. The ramp is linear in the index of the pair and its ends are rounded
    outwards, as in the authors' code. The attention factor 0.1 ln s + 1 is their fit to Llama's perplexity.

    Raises:
        ValueError: `factor` or `trained_len` is below 1, `base` is not above 1, or not `beta_fast` > `beta_slow` > 0.
    """
    check_factor(factor)
    check_trained_len(trained_len)
    if not base > 1:
        raise ValueError(f"base={base}: with a base of 1 or less no pair is slower than the first; use a base above 1")
    if not beta_fast > beta_slow > 0:
        raise ValueError(f"beta_fast={beta_fast}, beta_slow={beta_slow}: the ramp needs beta_fast > beta_slow > 0")
    theta = frequencies(dim, base)
    low = max(math.floor(pair_with_rotations(beta_fast, dim, base, trained_len)), 0)
    high = min(math.ceil(pair_with_rotations(beta_slow, dim, base, trained_len)), dim - 1)  # the authors' bound
    pairs = torch.arange(dim // 2, dtype=torch.float64)
    width = high - low if high != low else 0.001  # as in the authors' code: a ramp of no width is a step
    slow = ((pairs - low) / width).clamp(0, 1)
    return RopeScaling(slow * theta / factor + (1 - slow) * theta, 0.1 * math.log(factor) + 1)


def pair_with_rotations(rotations: float, dim: int, base: float, trained_len: int) -> float:
    """The pair, as a fractional index, that makes so many rotations over the trained length.

    Pair i turns by base^(-2i / d) a token: solve trained_len base^(-2i / d) = 2 pi rotations for i.
    """
    return dim * math.log(trained_len / (2 * math.pi * rotations)) / (2 * math.log(base))


def llama3(
    dim: int,
    base: float,
    factor: float,
    trained_len: int,
    low_freq_factor: float = 1.0,
    high_freq_factor: float = 4.0,
) -> RopeScaling:
    """Llama 3.1's scheme (Grattafiori et al. 2024; Meta's released code): YaRN's idea with a ramp in rotations.

    Pairs with more than `high_freq_factor` rotations over the trained length stay. Those with fewer than
    `low_freq_factor` are divided by s. Both names are Meta's: they count rotations and are no factors. Between the
    two, the weight of the old frequency is linear in the rotations.

    Raises:
        ValueError: `factor` or `trained_len` is below 1, or `high_freq_factor` is not above `low_freq_factor`.
    """
    check_factor(factor)
    check_trained_len(trained_len)
    if not high_freq_factor > low_freq_factor:
        raise ValueError(
            f"low_freq_factor={low_freq_factor}, high_freq_factor={high_freq_factor}: the ramp goes from the low to "
            "the high one; use a larger high_freq_factor"
        )
    theta = frequencies(dim, base)
    rotations = trained_len / wavelengths(theta)
    fast = ((rotations - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0, 1)
    return RopeScaling(fast * theta + (1 - fast) * theta / factor)


def check_factor(factor: float) -> None:
    """Raises ValueError unless the factor makes a context longer, or leaves it as it is."""
    if not 1 <= factor < math.inf:
        raise ValueError(f"factor={factor}: a context grows by a factor of at least 1; use seq_len / trained_len")


def check_trained_len(trained_len: int) -> None:
    """Raises ValueError unless a model can have been trained at this length."""
    if trained_len < 1:
        raise ValueError(f"trained_len={trained_len}: the trained length is at least 1; use the number of tokens")
