"""Fewer weights instead of fewer bits.

Read in this order:
    prune.py     single weights, whole channels, Wanda
    lottery.py   a pruned network that begins again
    distill.py   a student that learns from a teacher: task 10
    encoder.py   the sentence encoder that the pipeline compresses
"""

from .distill import distillation_loss
from .encoder import Encoder, encode, read_polarity, vocabulary, words
from .lottery import iterative_masks, rewound
from .prune import (
    apply_masks,
    channel_mask,
    keep_masks,
    magnitude_masks,
    prunable,
    sparsity_of,
    wanda_mask,
    without_channels,
)

__all__ = ["Encoder", "apply_masks", "channel_mask", "distillation_loss", "encode", "iterative_masks", "keep_masks"]
__all__ += ["magnitude_masks", "prunable", "read_polarity", "rewound", "sparsity_of", "vocabulary", "wanda_mask"]
__all__ += ["without_channels", "words"]
