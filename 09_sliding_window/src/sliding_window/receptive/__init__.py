"""Receptive fields of convolutions: the same question as for windows, asked twenty years earlier.

Read in this order:
    causal_conv.py   a dilated causal convolution
    conv_stack.py    the receptive field of a stack, by formula; in one and two dimensions, pooling included
    effective.py     by gradient: which inputs matter at all, and how much
    wavenet.py       a language model of dilated causal convolutions, which generates from a rolling buffer
    separable.py     what a depthwise separable convolution saves
"""

from .causal_conv import causal_conv1d
from .conv_stack import Conv, conv_receptive_field, conv_receptive_field_2d
from .effective import effective_radius, gradient_field, stack_of
from .separable import ConvCost, separable_cost, standard_cost
from .wavenet import WaveNet, WaveNetConfig, WaveNetState

__all__ = ["Conv", "ConvCost", "WaveNet", "WaveNetConfig", "WaveNetState", "causal_conv1d", "conv_receptive_field"]
__all__ += ["conv_receptive_field_2d", "effective_radius", "gradient_field", "separable_cost", "stack_of"]
__all__ += ["standard_cost"]
