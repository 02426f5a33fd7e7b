"""A Llama's GGUF file into a configuration, weights, tokens and template. The library `gguf` reads and dequantizes it.

GGUF stores the rows of q_proj and k_proj so that the two channels of a rotated pair are neighbours. `rotary.py` rotates
neighbours, so nothing is reordered.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..model import Config, Decoder
from .tokens import Tokens

WHOLE = {"token_embd.weight": "wte.weight", "output_norm.weight": "norm.weight"}
ATTENTION = {"attn_q": "q_proj", "attn_k": "k_proj", "attn_v": "v_proj", "attn_output": "o_proj"}
OTHERS = {"attn_norm": "attn_norm", "ffn_norm": "ffn_norm", "ffn_gate": "gate_proj", "ffn_up": "up_proj"}
PARTS = {name: f"attn.{part}" for name, part in ATTENTION.items()} | OTHERS | {"ffn_down": "down_proj"}


class Checkpoint(NamedTuple):
    """What the file holds."""

    config: Config
    state: dict[str, Tensor]  # float32
    tokens: Tokens
    chat_template: str


def read_checkpoint(path: Path | str) -> Checkpoint:
    """Read and dequantize the file: three seconds for 135 million parameters.

    Raises:
        ValueError: the file is no GGUF file, holds another architecture, or has a head of its own.
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
    names = [tensor.name for tensor in reader.tensors]
    if "output.weight" in names:
        raise ValueError(f"{path}: has a head of its own (output.weight); this loader expects a tied one")
    state = {
        state_name(tensor.name): torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy()).float()
        for tensor in reader.tensors
    }
    vocabulary, merges = (reader.fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "merges"))
    template = reader.fields["tokenizer.chat_template"].contents()
    config = Config(
        vocab_size=len(vocabulary),
        d_model=int(fields["llama.embedding_length"]),
        layers=int(fields["llama.block_count"]),
        heads=int(fields["llama.attention.head_count"]),
        kv_heads=int(fields["llama.attention.head_count_kv"]),
        ffn=int(fields["llama.feed_forward_length"]),
        rope_base=float(fields["llama.rope.freq_base"]),
        norm_eps=float(fields["llama.attention.layer_norm_rms_epsilon"]),
    )
    return Checkpoint(config, state, Tokens(vocabulary, merges), template)


def state_name(name: str) -> str:
    """blk.3.attn_q.weight -> blocks.3.attn.q_proj.weight."""
    if name in WHOLE:
        return WHOLE[name]
    _, layer, part, kind = name.split(".")
    return f"blocks.{layer}.{PARTS[part]}.{kind}"


def load_decoder(checkpoint: Checkpoint) -> Decoder:
    """The chapter's decoder with these weights. Names and shapes are checked by `load_state_dict`."""
    with torch.device("meta"):
        model = Decoder(checkpoint.config)
    model.load_state_dict(checkpoint.state, assign=True)
    return model.requires_grad_(False).eval()
