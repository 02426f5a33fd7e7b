"""What a depthwise separable convolution costs: one filter for each channel, then a 1 × 1 mix of the channels.

MobileNet (Howard et al. 2017), Xception (Chollet 2017). A kernel of K × K from I to O channels takes K²·I·O weights.
Separated it takes K²·I + I·O, which is 1/O + 1/K² of that. Its receptive field is the same.
"""

from typing import NamedTuple


class ConvCost(NamedTuple):
    """Weights without biases, and floating-point operations (two for each multiplication)."""

    parameters: int
    flops: int


def standard_cost(inputs: int, outputs: int, kernel: int, positions: int) -> ConvCost:
    """A K × K convolution with `positions` output positions (height times width)."""
    parameters = kernel**2 * inputs * outputs
    return ConvCost(parameters, 2 * parameters * positions)


def separable_cost(inputs: int, outputs: int, kernel: int, positions: int) -> ConvCost:
    """The same, depthwise and then pointwise."""
    parameters = kernel**2 * inputs + inputs * outputs
    return ConvCost(parameters, 2 * parameters * positions)
