"""The tokenizer inside a GGUF model file, as llama.cpp reads it.

A GGUF file begins with a magic word, its version, two counts, and a list of named values. The weights come after, and
are not read here.
"""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from ..pretokenize import GPT2, SMOLLM
from ..vocabulary import Vocabulary
from .printable_merges import build_vocabulary

PATTERNS = {"gpt-2": GPT2, "smollm": SMOLLM}  # by tokenizer.ggml.pre
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4  # kinds of token
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
LARGEST = 1 << 27  # bytes of a string, entries of an array: above this, the file is damaged


def load_gguf(path: str | Path) -> Vocabulary:
    """The byte-level BPE vocabulary of a GGUF file.

    Raises:
        ValueError: a damaged file, a tokenizer of another kind, or a split that this project does not have.
    """
    values = read_metadata(path)
    kind, pre = values.get("tokenizer.ggml.model"), values.get("tokenizer.ggml.pre")
    if kind != "gpt2" or pre not in PATTERNS:
        raise ValueError(
            f"{path}: tokenizer.ggml.model={kind!r}, pre={pre!r}: only 'gpt2' with one of {sorted(PATTERNS)} is read; "
            f"choose another file"
        )
    for flag in ("add_bos_token", "add_eos_token", "add_space_prefix"):
        if values.get(f"tokenizer.ggml.{flag}"):
            raise ValueError(
                f"{path}: tokenizer.ggml.{flag}=True: it changes the ids, and is not read; choose another file"
            )
    tokens, kinds, merges = (entries(path, values, name) for name in ("tokens", "token_type", "merges"))
    odd = sorted(set(kinds) - {NORMAL, CONTROL, USER_DEFINED})
    if len(kinds) != len(tokens) or odd:
        raise ValueError(
            f"{path}: token_type: {len(kinds)} for {len(tokens)} tokens, unknown kinds {odd}; get it again"
        )
    ids = {token: i for i, token in enumerate(tokens) if kinds[i] == NORMAL}
    special_tokens = {token: i for i, token in enumerate(tokens) if kinds[i] != NORMAL}
    pairs = [pair_of(path, k, merge) for k, merge in enumerate(merges)]
    return build_vocabulary(path, ids, pairs, special_tokens, PATTERNS[pre])


def entries(path: str | Path, values: Mapping, name: str) -> list:
    """One of the tokenizer's arrays."""
    value = values.get(f"tokenizer.ggml.{name}")
    if not isinstance(value, list):
        raise ValueError(f"{path}: tokenizer.ggml.{name}: it must be an array; is it a model file?")
    return value


def pair_of(path: str | Path, k: int, merge: str) -> tuple[str, str]:
    """One merge, "a b"."""
    pair = merge.split(" ")
    if len(pair) != 2 or not all(pair):
        raise ValueError(f"{path}: merges[{k}]={merge!r}: a merge must be two tokens; get the file again")
    return pair[0], pair[1]


def read_metadata(path: str | Path) -> dict:
    """{name: value} of a GGUF file of version 2 or 3.

    Raises:
        ValueError: it is no GGUF file, or it ends too early.
    """
    with Path(path).open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ValueError(f"{path}: it does not begin with GGUF; is it the right file?")
        try:
            version, _, count = struct.unpack("<IQQ", file.read(20))
            if version not in (2, 3):
                raise ValueError(f"version={version}: only 2 and 3 are read; convert the file")
            return dict(read_pair(file) for _ in range(count))
        except (struct.error, UnicodeDecodeError) as e:
            raise ValueError(f"{path}: damaged or truncated ({e}); get the file again") from None
        except ValueError as e:
            raise ValueError(f"{path}: {e}") from None


def read_pair(file: BinaryIO) -> tuple[str, object]:
    name = read_value(file, STRING)
    return name, read_value(file, read_value(file, 4))


def read_value(file: BinaryIO, kind: int):
    """One value: a number, a string (length and UTF-8), or an array (kind, length and entries)."""
    if kind in NUMBERS:
        size = struct.calcsize("<" + NUMBERS[kind])
        return struct.unpack("<" + NUMBERS[kind], file.read(size))[0]
    if kind == STRING:
        size = checked_size(read_value(file, 10))
        data = file.read(size)
        if len(data) < size:
            raise struct.error("a string is cut off")
        return data.decode("utf-8")
    if kind == ARRAY:
        entry_kind, size = read_value(file, 4), checked_size(read_value(file, 10))
        return [read_value(file, entry_kind) for _ in range(size)]
    raise ValueError(f"kind={kind}: no such kind of value; get the file again")


def checked_size(size: int) -> int:
    """A size that can be true."""
    if size > LARGEST:
        raise ValueError(f"size={size}: more than {LARGEST}; the file is damaged, get it again")
    return size
