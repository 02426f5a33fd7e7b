"""Side quest: three architectures, each at what it is for. Read sentiment.py, translation.py, training.py."""

from .sentiment import sentiment_batch
from .training import accuracy, train_classifier, train_translator, translate
from .translation import translation_batch, translation_of

__all__ = ["accuracy", "sentiment_batch", "train_classifier", "train_translator", "translate", "translation_batch",
           "translation_of"]  # fmt: skip
