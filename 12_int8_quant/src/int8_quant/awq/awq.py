"""AWQ: protect the weights of loud input channels by scaling them up before rounding (Lin et al. 2024).

One weight in a hundred matters far more than the rest: those that multiply the largest activations. Keeping them in
16 bits would break the layout. Multiplying their column by s and dividing the input by s shrinks their rounding error
by about s, as long as the group's scale does not grow. s = (mean |X|)^α; α is searched on the calibration data.

Dimensions:
    O output channels   I input channels
"""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from ..absmax import check_finite
from ..gptq import output_error
from ..granularity import dequantize_groups, quantize_groups

ALPHAS = tuple(i / 10 for i in range(11))


class AWQResult(NamedTuple):
    """`weight` is rounded and divided by the factors again: it is used as it is."""

    weight: Float[Tensor, "O I"]
    factors: Float[Tensor, "I"]
    alpha: float
    error: float  # of the outputs, as a fraction


def awq_factors(act_mean: Float[Tensor, "I"], alpha: float) -> Float[Tensor, "I"]:
    """(mean |x|)^α, scaled so that largest and smallest are reciprocal. Channels that are always zero keep 1."""
    factors = act_mean.clamp(min=1e-8) ** alpha
    factors = factors / (factors.max() * factors.min()).sqrt()
    return factors.masked_fill(act_mean == 0, 1)


def awq_search(
    weight: Float[Tensor, "O I"], hessian: Float[Tensor, "I I"], bits: int = 4, group_size: int | None = None
) -> AWQResult:
    """The α with the smallest error of the outputs. α = 0 is rounding to nearest, so AWQ is never worse in this error.

    The Hessian's diagonal holds the sum of x² of each channel; its root stands for the mean |x|.

    Raises:
        ValueError: NaN or infinity in the Hessian.
    """
    check_finite(hessian)
    act_mean = hessian.diagonal().sqrt()
    best: AWQResult | None = None
    for alpha in ALPHAS:
        factors = awq_factors(act_mean, alpha)
        codes, scales = quantize_groups(weight * factors, group_size or weight.shape[1], bits)
        rounded = dequantize_groups(codes, scales) / factors
        difference = rounded - weight
        error = float(((difference @ hessian) * difference).sum())
        if best is None or error < best.error:
            best = AWQResult(rounded, factors, alpha, error)
    return best._replace(error=output_error(weight, best.weight, hessian))
