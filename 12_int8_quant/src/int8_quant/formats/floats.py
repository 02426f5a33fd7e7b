"""Floating point by its bits: sign, exponent, mantissa. Every format is a list of the numbers that it can hold.

value = (−1)^s · 2^(e − bias) · (1 + m / 2^M)        for e > 0
value = (−1)^s · 2^(1 − bias) · m / 2^M              for e = 0: subnormal
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class FloatFormat:
    """A format of 1 + `exponent` + `mantissa` bits. `finite`: no infinity, and one NaN a sign (E4M3 "fn")."""

    name: str
    exponent: int
    mantissa: int
    finite: bool = False

    @property
    def bits(self) -> int:
        return 1 + self.exponent + self.mantissa

    @property
    def bias(self) -> int:
        return 2 ** (self.exponent - 1) - 1

    def decode(self, code: int) -> float:
        """The number that a code stands for."""
        sign = -1.0 if code >> (self.bits - 1) else 1.0
        e = code >> self.mantissa & 2**self.exponent - 1
        m = code & 2**self.mantissa - 1
        if e == 2**self.exponent - 1 and not self.finite:
            return sign * (float("nan") if m else float("inf"))
        if self.finite and e == 2**self.exponent - 1 and m == 2**self.mantissa - 1:
            return float("nan")
        if e == 0:
            return sign * 2.0 ** (1 - self.bias) * m / 2**self.mantissa
        return sign * 2.0 ** (e - self.bias) * (1 + m / 2**self.mantissa)

    @property
    def largest(self) -> float:
        """The largest finite number."""
        top = 2**self.exponent - (1 if self.finite else 2)
        m = 2**self.mantissa - (2 if self.finite else 1)
        return 2.0 ** (top - self.bias) * (1 + m / 2**self.mantissa)

    @property
    def smallest(self) -> float:
        """The smallest positive number, a subnormal."""
        return 2.0 ** (1 - self.bias - self.mantissa)


FP32 = FloatFormat("FP32", 8, 23)
FP16 = FloatFormat("FP16", 5, 10)
BF16 = FloatFormat("BF16", 8, 7)
E4M3 = FloatFormat("FP8 E4M3", 4, 3, finite=True)
E5M2 = FloatFormat("FP8 E5M2", 5, 2)
FLOATS = (FP32, FP16, BF16, E4M3, E5M2)


def levels_of(form: FloatFormat) -> Tensor:
    """All finite numbers of a small format, ascending, zero once.

    Raises:
        ValueError: more than 16 bits: too many to list.
    """
    if form.bits > 16:
        raise ValueError(f"format={form.name}: has 2^{form.bits} codes; list formats of at most 16 bits")
    values = {form.decode(code) + 0.0 for code in range(2**form.bits)}
    return torch.tensor(sorted(v for v in values if abs(v) <= form.largest), dtype=torch.float64)


def integer_levels(bits: int) -> Tensor:
    """−(2^(b−1) − 1) … 2^(b−1) − 1."""
    limit = 2 ** (bits - 1) - 1
    return torch.arange(-limit, limit + 1, dtype=torch.float64)
