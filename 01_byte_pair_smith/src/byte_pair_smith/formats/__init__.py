"""How vocabularies travel: files, read with suspicion and written whole or not at all.

bytes_to_unicode  GPT-2's order of the bytes, and the characters it writes them with
native           this project's own JSON                  load_json, save_json
tiktoken_bpe     tiktoken's rank file                     load_tiktoken, save_tiktoken
gpt2             GPT-2's vocab.bpe and encoder.json       load_gpt2, save_gpt2
tokenizer_json   Hugging Face's tokenizer.json            load_tokenizer_json, save_tokenizer_json
gguf             the tokenizer inside a GGUF model file   load_gguf
"""

from .bytes_to_unicode import GPT2_ORDER, bytes_to_unicode
from .gguf import load_gguf
from .gpt2 import load_gpt2, save_gpt2
from .native import load_json, save_json
from .tiktoken_bpe import CL100K_SPECIAL_TOKENS, load_tiktoken, save_tiktoken
from .tokenizer_json import load_tokenizer_json, save_tokenizer_json

__all__ = [
    "CL100K_SPECIAL_TOKENS",
    "GPT2_ORDER",
    "bytes_to_unicode",
    "load_gguf",
    "load_gpt2",
    "load_json",
    "load_tiktoken",
    "load_tokenizer_json",
    "save_gpt2",
    "save_json",
    "save_tiktoken",
    "save_tokenizer_json",
]
