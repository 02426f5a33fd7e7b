"""The real model in the files of other servers: GGUF for llama.cpp, a folder for transformers.

For checks of the wire it gets an end token that is never the likeliest, so that an answer is as long as asked for.
"""

import json
from pathlib import Path

import torch
from torch import Tensor

from ..engine.model import ModelConfig
from ..formats.load import Checkpoint, load_gguf, save_gguf
from . import fetch
from .serve import MOST_TOKENS

NAME = "smollm2"
PARTS = {"attn_norm": "input_layernorm", "mlp_norm": "post_attention_layernorm",
         **{f"{n}_proj": f"self_attn.{n}_proj" for n in "qkvo"},
         **{f"{n}_proj": f"mlp.{n}_proj" for n in ("gate", "up", "down")}}  # fmt: skip


def real(endless: bool = False) -> Checkpoint:
    """SmolLM2 with a context of MOST_TOKENS. `endless` sets the logit of its end token to zero, far below others."""
    found = load_gguf(fetch.model(NAME))
    config = ModelConfig(**{**vars(found.config), "max_model_len": MOST_TOKENS})
    if endless:
        found.weights["wte.weight"][found.header.metadata["tokenizer.ggml.eos_token_id"]] = 0
    return Checkpoint(config, found.weights, found.header)


def write_file(path: Path, checkpoint: Checkpoint, kind: str) -> Path:
    """A GGUF file with the tokenizer of the checkpoint; matrices as `kind`."""
    metadata = {k: v for k, v in checkpoint.header.metadata.items() if k.startswith("tokenizer")}
    return save_gguf(path, checkpoint.config, checkpoint.weights, {"general.name": NAME, **metadata}, kind)


def write_folder(folder: Path, checkpoint: Checkpoint) -> Path:
    """A folder that transformers reads: config, weights in float32, tokenizer with its chat template."""
    from safetensors.torch import save_file  # comes with transformers

    folder.mkdir(parents=True, exist_ok=True)
    c, metadata = checkpoint.config, checkpoint.header.metadata
    save_file(their_weights(c, checkpoint.weights), folder / "model.safetensors", {"format": "pt"})
    ids = {f"{name}_token_id": metadata[f"tokenizer.ggml.{name}_token_id"] for name in ("bos", "eos")}
    ids["pad_token_id"] = metadata["tokenizer.ggml.padding_token_id"]
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": c.vocab_size,
        "hidden_size": c.d_model, "intermediate_size": c.ffn, "num_hidden_layers": c.layers,
        "num_attention_heads": c.heads, "num_key_value_heads": c.kv_heads, "rms_norm_eps": c.norm_eps,
        "rope_theta": c.rope_base, "max_position_embeddings": c.max_model_len, "tie_word_embeddings": True,
        "hidden_act": "silu", "torch_dtype": "float32", **ids,
    }  # fmt: skip
    tokens = metadata["tokenizer.ggml.tokens"]
    names = {key.removesuffix("_id"): tokens[i] for key, i in ids.items()}
    described = {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": metadata["tokenizer.chat_template"],
                 "model_max_length": c.max_model_len, **names}  # fmt: skip
    for name, content in (("config", config), ("generation_config", ids), ("tokenizer", their_tokenizer(metadata)),
                          ("tokenizer_config", described)):  # fmt: skip
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def their_weights(config: ModelConfig, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names of transformers, and its order of rows: channels that rotate together stand half a head apart there."""
    renamed = {"wte": "embed_tokens", "blocks": "layers"}
    found = {}
    for name, weight in weights.items():
        if "q_proj" in name or "k_proj" in name:
            heads = config.heads if "q_proj" in name else config.kv_heads
            weight = weight.view(heads, -1, 2, weight.shape[-1]).transpose(1, 2).reshape(weight.shape)
        parts = [renamed.get(part) or PARTS.get(part, part) for part in name.split(".")]
        found["model." + ".".join(parts)] = weight.contiguous().to(torch.float32)
    return found


def their_tokenizer(metadata: dict) -> dict:
    """tokenizer.json of a byte-level BPE, from the entries of a GGUF file."""
    tokens, types = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    special = [{"id": i, "content": token, "special": True, "normalized": False, "lstrip": False, "rstrip": False,
                "single_word": False} for i, (token, kind) in enumerate(zip(tokens, types, strict=True)) if kind == 3
               ]  # fmt: skip
    digits = {"type": "Digits", "individual_digits": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special, "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [digits, byte_level]}, "post_processor": None,
        "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                  "vocab": {token: i for i, token in enumerate(tokens)},
                  "merges": metadata["tokenizer.ggml.merges"]},
    }  # fmt: skip
