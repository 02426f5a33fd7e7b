"""Text, tokens, windows, batches. Read in this order:

tokens.py    bytes, characters, GPT-2's BPE
windows.py   inputs and targets, training and validation
sampler.py   the order of the samples, for each rank, resumable
loading.py   from memory, lazily from a file, read ahead
"""

from .loading import Pairs, TokenFile, prefetch, write_tokens
from .sampler import Sampler
from .tokens import ByteTokenizer, CharTokenizer, GPT2Tokenizer
from .windows import windows

__all__ = ["ByteTokenizer", "CharTokenizer", "GPT2Tokenizer", "Pairs", "Sampler", "TokenFile", "prefetch", "windows"]
__all__ += ["write_tokens"]
