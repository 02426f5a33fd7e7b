"""A file into a model: GGUF through a memory map, safetensors by its own small header."""

import json
import mmap
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..engine.model import ModelConfig
from ..engine.weights import check_weights
from .gguf_reader import TYPE_NAMES, GGUFHeader, TensorInfo, read_gguf_header
from .gguf_writer import write_gguf
from .quants import SIZES, dequantize
from .tokenizer import Tokenizer

WHOLE = {"token_embd": "wte", "output_norm": "norm", "output": "lm_head"}
PARTS = {"attn_norm": "attn_norm", "attn_q": "q_proj", "attn_k": "k_proj", "attn_v": "v_proj", "attn_output": "o_proj",
         "ffn_norm": "mlp_norm", "ffn_gate": "gate_proj", "ffn_up": "up_proj", "ffn_down": "down_proj"}  # fmt: skip
TYPES = {"F32": np.float32, "F16": np.float16}


class Checkpoint(NamedTuple):
    """What a file holds."""

    config: ModelConfig
    weights: dict[str, Tensor]
    header: GGUFHeader


def our_name(name: str) -> str:
    """blk.3.attn_q.weight -> blocks.3.q_proj.weight. Raises KeyError for a name that no Llama has."""
    stem, _, kind = name.rpartition(".")
    if not stem.startswith("blk."):
        return f"{WHOLE[stem]}.{kind}"
    _, layer, part = stem.split(".")
    return f"blocks.{layer}.{PARTS[part]}.{kind}"


def file_name(name: str) -> str:
    """The other direction."""
    back = {ours: theirs for theirs, ours in {**WHOLE, **PARTS}.items()}
    *at, part, kind = name.split(".")
    return ".".join([*(["blk", at[1]] if at else []), back[part], kind])


def config_of(metadata: dict) -> ModelConfig:
    """The sizes that a GGUF file of a Llama tells.

    Raises:
        ValueError: another architecture, or an entry is missing.
    """
    kind = metadata.get("general.architecture")
    if kind != "llama":
        raise ValueError(f"general.architecture={kind!r}: this loader reads 'llama'")
    try:
        return ModelConfig(
            vocab_size=len(metadata["tokenizer.ggml.tokens"]),
            d_model=metadata["llama.embedding_length"],
            layers=metadata["llama.block_count"],
            heads=metadata["llama.attention.head_count"],
            kv_heads=metadata["llama.attention.head_count_kv"],
            ffn=metadata["llama.feed_forward_length"],
            max_model_len=metadata["llama.context_length"],
            rope_base=metadata["llama.rope.freq_base"],
            norm_eps=metadata["llama.attention.layer_norm_rms_epsilon"],
        )
    except KeyError as error:
        raise ValueError(f"{error.args[0]}: this entry is missing; the file is of another writer") from None


def load_gguf(path: Path | str) -> Checkpoint:
    """Read and dequantize a Llama. A file without `output.weight` has a tied head.

    Raises:
        ValueError: what `read_gguf_header`, `config_of` and `check_weights` refuse.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        header = read_gguf_header(data)
        config = config_of(header.metadata)
        weights = {}
        for info in header.tensors:
            if info.name != "rope_freqs.weight":
                weights[our_name(info.name)] = read_tensor(data, info)
    return Checkpoint(config, check_weights(config, weights), header)


def read_tensor(data: mmap.mmap | bytes, info: TensorInfo) -> Tensor:
    """One tensor in float32. Raises ValueError for a type that is not read here."""
    kind = TYPE_NAMES.get(info.type, str(info.type))
    count = int(np.prod(info.shape))
    size = count * SIZES.get(kind, 0) // 32
    raw = np.frombuffer(data[info.offset : info.offset + size], dtype=np.uint8)
    return torch.from_numpy(dequantize(raw, kind).reshape(info.shape))


def load_tokenizer(checkpoint: Checkpoint) -> Tokenizer:
    """The tokenizer inside of the file."""
    return Tokenizer.from_metadata(checkpoint.header.metadata)


def save_gguf(path: Path | str, config: ModelConfig, weights: dict[str, Tensor], metadata: dict, kind: str) -> Path:
    """Write a Llama. Matrices are stored as `kind`, norms as F32. `metadata` brings the tokenizer."""
    own = {
        "general.architecture": "llama",
        "llama.context_length": config.max_model_len,
        "llama.embedding_length": config.d_model,
        "llama.block_count": config.layers,
        "llama.feed_forward_length": config.ffn,
        "llama.attention.head_count": config.heads,
        "llama.attention.head_count_kv": config.kv_heads,
        "llama.attention.layer_norm_rms_epsilon": config.norm_eps,
        "llama.rope.freq_base": config.rope_base,
        "llama.rope.dimension_count": config.head_dim,
        "llama.vocab_size": config.vocab_size,
    }
    tensors = {}
    for name, weight in weights.items():
        tensors[file_name(name)] = (weight.numpy(), kind if weight.ndim == 2 else "F32")
    return write_gguf(path, {**own, **metadata}, tensors)


def load_safetensors(path: Path | str) -> dict[str, Tensor]:
    """The tensors of a safetensors file: eight bytes of length, a JSON header, and the data.

    Raises:
        ValueError: the header or an offset does not fit the file, or a type is not F32 or F16.
    """
    data = Path(path).read_bytes()
    size = struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else 0
    if not 2 <= size <= len(data) - 8:
        raise ValueError(f"{path}: a header of {size} bytes does not fit; this is no safetensors file")
    found = {}
    for name, info in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        start, end = (8 + size + offset for offset in info["data_offsets"])
        if info["dtype"] not in TYPES:
            raise ValueError(f"{name}: dtype {info['dtype']} is not read here; convert it to F32")
        itemsize = np.dtype(TYPES[info["dtype"]]).itemsize
        if not 0 <= start <= end <= len(data) or end - start != int(np.prod(info["shape"])) * itemsize:
            raise ValueError(f"{name}: its offsets do not fit the file or its shape")
        array = np.frombuffer(data[start:end], dtype=TYPES[info["dtype"]]).reshape(info["shape"])
        found[name] = torch.from_numpy(array.astype(np.float32))
    return found
