"""Side quest: the model of Vaswani et al. (2017), to its own specification. Read transformer.py, training.py."""

from .training import NoamAdam, label_smoothing_loss, learning_rate
from .transformer import Transformer, sinusoids

__all__ = ["NoamAdam", "Transformer", "label_smoothing_loss", "learning_rate", "sinusoids"]
