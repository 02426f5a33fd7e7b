"""Translation: an encoder-decoder with cross-attention, teacher forcing, greedy and beam search.

Read in this order: model.py, train.py, search.py, language.py.
"""

from .language import corpus
from .model import Translator, TranslatorConfig, shift_right
from .search import beam_search, greedy
from .train import Vocabulary, train_translator

__all__ = ["Translator", "TranslatorConfig", "Vocabulary", "beam_search", "corpus", "greedy", "shift_right"]
__all__ += ["train_translator"]
