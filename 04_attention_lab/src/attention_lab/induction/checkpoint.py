"""A GGUF file into a configuration, a state dict and a tokenizer. The library `gguf` reads and dequantizes it.

GGUF stores the rows of q_proj and k_proj in another order than Hugging Face: the two channels that RoPE rotates
together stand next to each other. `llama.py` rotates neighbours, so nothing is reordered here.
"""

import re
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from .llama import LlamaConfig

NAMES = {
    "token_embd.weight": "wte.weight",
    "output_norm.weight": "norm.weight",
}
PARTS = {
    "attn_norm": "attn_norm",
    "attn_q": "q_proj",
    "attn_k": "k_proj",
    "attn_v": "v_proj",
    "attn_output": "o_proj",
    "ffn_norm": "ffn_norm",
    "ffn_gate": "gate_proj",
    "ffn_up": "up_proj",
    "ffn_down": "down_proj",
}
# GPT-2's pre-tokens, with every digit a token of its own. \w minus digits and _ are letters.
PRE_TOKENS = re.compile(r"'(?:[sdmt]|ll|ve|re)|\d| ?[^\W\d_]+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")


class Tokens:
    """The file's byte-level BPE: text to ids and back. Merges are applied to each pre-token, lowest rank first."""

    def __init__(self, vocabulary: list[str], merges: list[str]):
        self.vocabulary = vocabulary
        self.ids = {token: i for i, token in enumerate(vocabulary)}
        self.ranks = {tuple(pair.split(" ")): rank for rank, pair in enumerate(merges)}
        printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
        others = [b for b in range(256) if b not in printable]
        self.letters = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}
        self.bytes = {letter: b for b, letter in self.letters.items()}

    def encode(self, text: str) -> list[int]:
        """Token ids of a text; special tokens are not looked for."""
        return [i for match in PRE_TOKENS.finditer(text) for i in self._encode_word(match[0])]

    def _encode_word(self, word: str) -> list[int]:
        parts = [self.letters[b] for b in word.encode()]
        while len(parts) > 1:
            pairs = list(zip(parts, parts[1:], strict=False))
            best = min(pairs, key=lambda pair: self.ranks.get(pair, len(self.ranks)))
            if best not in self.ranks:
                break
            i = pairs.index(best)
            parts[i : i + 2] = ["".join(best)]
        return [self.ids[part] for part in parts]

    def decode(self, ids: list[int]) -> str:
        """The text of some ids; half a character becomes U+FFFD."""
        joined = "".join(self.vocabulary[i] for i in ids)
        return bytes(self.bytes[letter] for letter in joined if letter in self.bytes).decode(errors="replace")


class Checkpoint(NamedTuple):
    """What the file holds."""

    config: LlamaConfig
    state: dict[str, Tensor]  # float32
    tokens: Tokens


def read_checkpoint(path: Path | str) -> Checkpoint:
    """Read and dequantize a Llama's GGUF file: three seconds for 135 million parameters.

    Raises:
        ValueError: the file is no GGUF file, holds another architecture, or lacks a tensor.
    """
    from gguf import GGUFReader
    from gguf.quants import dequantize

    with open(path, "rb") as file:
        if (magic := file.read(4)) != b"GGUF":
            raise ValueError(f"{path}: begins with {magic!r}, not with b'GGUF'; get it again")
    reader = GGUFReader(str(path))
    fields = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("tokenizer")}
    if (kind := fields["general.architecture"]) != "llama":
        raise ValueError(f"{path}: general.architecture={kind!r}; this loader reads 'llama'")
    config = LlamaConfig(
        layers=int(fields["llama.block_count"]),
        d_model=int(fields["llama.embedding_length"]),
        heads=int(fields["llama.attention.head_count"]),
        kv_heads=int(fields["llama.attention.head_count_kv"]),
        ffn=int(fields["llama.feed_forward_length"]),
        vocab_size=len(reader.fields["tokenizer.ggml.tokens"].contents()),
        rope_base=float(fields["llama.rope.freq_base"]),
        norm_eps=float(fields["llama.attention.layer_norm_rms_epsilon"]),
    )
    state = {}
    for tensor in reader.tensors:
        values = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy()).float()
        if tensor.name == "output.weight":
            raise ValueError(f"{path}: has a head of its own (output.weight); this loader expects a tied one")
        state[state_name(tensor.name)] = values
    parts = (reader.fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "merges"))
    return Checkpoint(config, state, Tokens(*parts))


def state_name(name: str) -> str:
    """blk.3.attn_q.weight -> blocks.3.q_proj.weight."""
    if name in NAMES:
        return NAMES[name]
    _, layer, part, kind = name.split(".")
    return f"blocks.{layer}.{PARTS[part]}.{kind}"
