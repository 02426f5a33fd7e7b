"""A Llama's GGUF file into our model. The library `gguf` reads the file and dequantizes its blocks.

GGUF stores the rows of q_proj and k_proj so that the two channels which RoPE rotates together are neighbours. Our
`rotate` rotates neighbours, so nothing is reordered.
"""

from pathlib import Path
from typing import NamedTuple

import torch

from ..model import Config, Llama
from .tokenizer import Tokens

NAMES = {"token_embd.weight": "wte.weight", "output_norm.weight": "norm.weight"}
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


class Checkpoint(NamedTuple):
    """What the file holds."""

    model: Llama  # float32, in evaluation mode, without gradients
    tokens: Tokens


def read_checkpoint(path: Path | str) -> Checkpoint:
    """Read a Llama's GGUF file: three seconds for 135 million parameters.

    Raises:
        ValueError: the file is no GGUF file, or holds another architecture or a head of its own.
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
    config = Config(
        vocab_size=len(reader.fields["tokenizer.ggml.tokens"].contents()),
        d_model=int(fields["llama.embedding_length"]),
        layers=int(fields["llama.block_count"]),
        heads=int(fields["llama.attention.head_count"]),
        kv_heads=int(fields["llama.attention.head_count_kv"]),
        ffn=int(fields["llama.feed_forward_length"]),
        rope_base=float(fields["llama.rope.freq_base"]),
        norm_eps=float(fields["llama.attention.layer_norm_rms_epsilon"]),
    )
    state = {}
    for tensor in reader.tensors:
        if tensor.name == "output.weight":
            raise ValueError(f"{path}: has a head of its own (output.weight); this loader expects a tied one")
        state[state_name(tensor.name)] = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy()).float()
    with torch.device("meta"):
        model = Llama(config)
    model.load_state_dict(state, assign=True)
    vocabulary, merges = (reader.fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "merges"))
    return Checkpoint(model.eval().requires_grad_(False), Tokens(vocabulary, merges))


def state_name(name: str) -> str:
    """blk.3.attn_q.weight -> blocks.3.q_proj.weight."""
    if name in NAMES:
        return NAMES[name]
    _, layer, part, kind = name.split(".")
    return f"blocks.{layer}.{PARTS[part]}.{kind}"
