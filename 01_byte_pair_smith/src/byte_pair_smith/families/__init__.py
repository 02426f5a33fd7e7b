"""Side quest: the families of tokenizers beside BPE, on the same pre-tokens.

Read in this order:
    family               what all families share
    characters, raw_bytes, words, byte_pair
    wordpiece            encoding by the longest match
    wordpiece_train      learning the pieces, plain            wordpiece_train_fast   the same without recounting
    lattice              all segmentations of one pre-token    lattice_fast           of all pre-tokens at once
    unigram              Viterbi, sampling, likelihood         unigram_train          EM and pruning
    ngram                a language model's loss, in units that can be compared

`python -m byte_pair_smith families` runs the comparison (`lab/families.py`).
"""

from .byte_pair import BytePair
from .characters import Characters
from .family import Family, Token
from .ngram import ByteFallbackModel, NGram, loss_of
from .raw_bytes import RawBytes
from .unigram import Unigram
from .wordpiece import WordPiece
from .words import Words

__all__ = [
    "ByteFallbackModel",
    "BytePair",
    "Characters",
    "Family",
    "NGram",
    "RawBytes",
    "Token",
    "Unigram",
    "WordPiece",
    "Words",
    "loss_of",
]
