"""Byte-pair encoding from the merge up: train, encode, decode.

Read in this order:
    pretokenize        the split that merges do not cross     pretokenize_fast   the same, twice as fast on ASCII
    train              counting pairs and merging them        train_fast         the same, without recounting
    encode             merging by rank, and decoding          encode_fast        merging one pre-token, fast
    special            special tokens that no text may forge
    vocabulary         a list of tokens, and the pair that each is merged from
    tokenizer          all of it together, with a cache and offsets
    checks             what all of them demand of their arguments

    formats/           how vocabularies travel: tiktoken's, GPT-2's, Hugging Face's and GGUF's files
    families/          side quest: characters, words, WordPiece and Unigram beside BPE
    lab/               the experiments, the texts, the tables and the figures
"""

from .encode import decode, encode
from .formats import (
    GPT2_ORDER,
    bytes_to_unicode,
    load_gguf,
    load_gpt2,
    load_json,
    load_tiktoken,
    load_tokenizer_json,
    save_gpt2,
    save_json,
    save_tiktoken,
    save_tokenizer_json,
)
from .pretokenize import CL100K, GPT2, NO_SPLIT, SINGLE_DIGITS, SMOLLM, pretokenize
from .pretokenize_fast import pretokenize_fast
from .special import encode_with_special
from .tokenizer import Tokenizer
from .train import count_pairs, merge, train
from .train_fast import BYTE_ORDER, train_fast
from .vocabulary import Vocabulary

__all__ = [
    "BYTE_ORDER",
    "CL100K",
    "GPT2",
    "GPT2_ORDER",
    "NO_SPLIT",
    "SINGLE_DIGITS",
    "SMOLLM",
    "Tokenizer",
    "Vocabulary",
    "bytes_to_unicode",
    "count_pairs",
    "decode",
    "encode",
    "encode_with_special",
    "load_gguf",
    "load_gpt2",
    "load_json",
    "load_tiktoken",
    "load_tokenizer_json",
    "merge",
    "pretokenize",
    "pretokenize_fast",
    "save_gpt2",
    "save_json",
    "save_tiktoken",
    "save_tokenizer_json",
    "train",
    "train_fast",
]
