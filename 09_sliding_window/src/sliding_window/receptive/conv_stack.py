"""How much of the input one output of a stack of convolutions sees, and where that part lies.

Three numbers follow the stack from the input up. `size` is how many inputs one output spans. `jump` is how many inputs
lie between two neighbouring outputs: the product of the strides below. `start` is where the span of output 0 begins,
which is negative where there is padding. Output i spans start + i·jump … start + i·jump + size - 1.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Conv(NamedTuple):
    """One layer along one axis. A pooling layer is the same to us."""

    kernel: int
    stride: int = 1
    dilation: int = 1
    padding: int = 0  # on the left; what is on the right does not move the field


def conv_receptive_field(layers: Sequence[Conv]) -> tuple[int, int, int]:
    """(size, jump, start) of the stack's receptive field, the first layer being the one next to the input.

    Two neighbouring inputs of a layer are `jump` inputs of the stack apart, so its taps are dilation · jump apart.
    """
    size, jump, start = 1, 1, 0
    for layer in layers:
        size += (layer.kernel - 1) * layer.dilation * jump
        start -= layer.padding * jump
        jump *= layer.stride
    return size, jump, start


def conv_receptive_field_2d(layers: Sequence[tuple[Conv, Conv]]) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """The same for (height, width): the two axes do not know of each other."""
    heights, widths = [height for height, _ in layers], [width for _, width in layers]
    return conv_receptive_field(heights), conv_receptive_field(widths)
