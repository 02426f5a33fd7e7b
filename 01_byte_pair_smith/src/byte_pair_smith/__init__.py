"""Byte-pair encoding from the merge up: train, encode, decode, files, and what languages pay.

Read in this order:
    pretokenize   the split that merges may not cross
    train         counting pairs and merging them: plain, then without ever recounting
    encode        merges by rank: plain, then two fast forms; decode
    special       marks that no text may forge
    vocabulary    a list of tokens, each derived from the ones before it
    tokenizer     all of it together, with a cache and offsets
    alphabet, files, formats, letter_files    how vocabularies travel
    languages, view    what a language pays; a page that shows the tokens
    corpora, experiment, break_it, bench, results, plots, tables    the experiments
    families/     the side quest: characters, words, WordPiece, Unigram
"""
from .alphabet import BYTE_ORDER, GPT2_ORDER
from .encode import decode, encode
from .formats import load_json, load_tiktoken, save_json, save_tiktoken
from .letter_files import load_gpt2, load_tokenizer_json, save_gpt2, save_tokenizer_json
from .pretokenize import CL100K, DIGITS, GPT2, WHOLE, pretokenize, pretokenize_fast
from .special import encode_with_special
from .tokenizer import Tokenizer
from .train import count_pairs, merge, train, train_fast
from .vocabulary import Vocabulary

__all__ = ["BYTE_ORDER", "CL100K", "DIGITS", "GPT2", "GPT2_ORDER", "WHOLE", "Tokenizer", "Vocabulary", "count_pairs",
           "decode", "encode", "encode_with_special", "load_gpt2", "load_json", "load_tiktoken", "load_tokenizer_json",
           "merge", "pretokenize", "pretokenize_fast", "save_gpt2", "save_json", "save_tiktoken", "save_tokenizer_json",
           "train", "train_fast"]
