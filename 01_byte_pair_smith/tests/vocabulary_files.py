"""A small vocabulary in every file format, and ways to change the files, for the tests of the formats."""

import json

from byte_pair_smith import (
    GPT2,
    GPT2_ORDER,
    Vocabulary,
    load_gpt2,
    load_json,
    load_tiktoken,
    load_tokenizer_json,
    save_gpt2,
    save_json,
    save_tiktoken,
    save_tokenizer_json,
    train_fast,
)
from mistakes import random_text

SPECIAL = {"<|end|>": 300, "<|sep|>": 301}
TEXT = " ".join(random_text(n) for n in range(9))
VOCABULARY = Vocabulary.from_merges(train_fast(TEXT, 300, GPT2, GPT2_ORDER), GPT2_ORDER, GPT2, SPECIAL)


def save_all(folder):
    save_json(VOCABULARY, folder / "ours.json")
    save_tiktoken(VOCABULARY, folder / "ranks.tiktoken")
    save_gpt2(VOCABULARY, folder / "vocab.bpe", folder / "encoder.json")
    save_tokenizer_json(VOCABULARY, folder / "tokenizer.json")


LOADERS = {
    "ours.json": lambda f: load_json(f / "ours.json"),
    "ranks.tiktoken": lambda f: load_tiktoken(f / "ranks.tiktoken", GPT2, SPECIAL, size=300),
    "vocab.bpe": lambda f: load_gpt2(f / "vocab.bpe", f / "encoder.json", list(SPECIAL)),
    "encoder.json": lambda f: load_gpt2(f / "vocab.bpe", f / "encoder.json", list(SPECIAL)),
    "tokenizer.json": lambda f: load_tokenizer_json(f / "tokenizer.json"),
}


def lines_of(path):
    return path.read_bytes().split(b"\n")[:-1]


def rewrite(path, lines):
    path.write_bytes(b"\n".join(lines) + b"\n")


def change_json(path, change):
    found = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(change(found) or found), encoding="utf-8")
