"""Side quest: the families of tokenizers beside BPE, on the same text.

Read in this order: `family.py` (what they share), `characters.py`, `raw_bytes.py`, `words.py`, `wordpiece.py`,
`lattice.py` and `unigram.py` (with `corpus_lattice.py`, its fast form), `byte_pair.py`, `ngram.py` (a language model's
loss in units that can be compared), `compare.py`. `python -m byte_pair_smith.families` runs the comparison.
"""

from . import compare
from .byte_pair import BytePair
from .characters import Characters
from .family import Family, Token
from .ngram import NGram, Speller, loss_of
from .raw_bytes import RawBytes
from .unigram import Unigram
from .wordpiece import WordPiece
from .words import Words

__all__ = [
    "BytePair",
    "Characters",
    "Family",
    "NGram",
    "RawBytes",
    "Speller",
    "Token",
    "Unigram",
    "WordPiece",
    "Words",
    "compare",
    "loss_of",
]
