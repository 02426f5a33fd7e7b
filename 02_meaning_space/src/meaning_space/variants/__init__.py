"""Side quest: two relatives of skip-gram with negative sampling.

Read `softmax.py` (all words as negatives), `cbow.py` (the contexts predict the center), then `cbow_fast.py`.
"""

from .cbow import cbow_loss_and_gradients
from .cbow_fast import CBOW
from .softmax import softmax_loss_and_gradients, softmax_step

__all__ = ["CBOW", "cbow_loss_and_gradients", "softmax_loss_and_gradients", "softmax_step"]
