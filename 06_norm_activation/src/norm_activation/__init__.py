"""Normalization and activation by hand, forward and backward.

Read in this order:

    layer_norm, rms_norm     the two norms of language models; each backward pass with its derivation
    batch_norm, group_norm   the norms of vision, and why one of them needs company
    activations, gated       sigmoid to SwiGLU; each derivative
    dropout                  noise that keeps the mean
    gradcheck                is a backward pass right? Differences tell
    dynamics                 what to look at when training does not start
    norms_fast               the same norms as fused autograd functions

Side quests: framework (a neural network framework in NumPy), laboratory (what regularises, and is the difference
real?). Everything that measures is in lab.
"""

from .activations import gelu, gelu_grad
from .batch_norm import batch_norm, batch_norm_backward
from .dropout import dropout
from .dynamics import Network, Plain, dead_units, examine, init_std
from .gated import swiglu, swiglu_backward, swiglu_width
from .gradcheck import gradcheck, numerical_gradient
from .group_norm import group_norm, group_norm_backward, instance_norm, instance_norm_backward
from .layer_norm import layer_norm, layer_norm_backward
from .norms_fast import layer_norm_fast, rms_norm_fast
from .rms_norm import rms_norm, rms_norm_backward

__all__ = [
    "Network",
    "Plain",
    "batch_norm",
    "batch_norm_backward",
    "dead_units",
    "dropout",
    "examine",
    "gelu",
    "gelu_grad",
    "gradcheck",
    "group_norm",
    "group_norm_backward",
    "init_std",
    "instance_norm",
    "instance_norm_backward",
    "layer_norm",
    "layer_norm_backward",
    "layer_norm_fast",
    "numerical_gradient",
    "rms_norm",
    "rms_norm_backward",
    "rms_norm_fast",
    "swiglu",
    "swiglu_backward",
    "swiglu_width",
]
