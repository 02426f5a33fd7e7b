"""Where weights come from and go to: transformers' GPT-2, the hub, and safetensors files that are checked when read."""

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

MAGIC = "kv-speedrun-gpt-1"
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)

# our module: (theirs, and whether the weight is stored transposed: GPT-2's Conv1D keeps (in, out), nn.Linear (out, in))
BLOCK = {
    "norm_1": ("ln_1", False),
    "attention.qkv": ("attn.c_attn", True),
    "attention.out": ("attn.c_proj", True),
    "norm_2": ("ln_2", False),
    "up": ("mlp.c_fc", True),
    "down": ("mlp.c_proj", True),
}


def from_hf(model: nn.Module) -> tuple[dict[str, int], dict[str, Tensor]]:
    """The fields of our Config and the state dict of our GPT, from a transformers GPT2LMHeadModel."""
    theirs = getattr(model, "config", None)
    if getattr(theirs, "model_type", None) != "gpt2":
        raise ValueError(f"from_hf: expected a transformers GPT2LMHeadModel, got {type(model).__name__}")
    _check_variant(theirs)
    source = model.state_dict()
    state = {"token.weight": source["transformer.wte.weight"], "place.weight": source["transformer.wpe.weight"]}
    for i in range(theirs.n_layer):
        for ours, (name, transposed) in BLOCK.items():
            weight = source[f"transformer.h.{i}.{name}.weight"]
            state[f"blocks.{i}.{ours}.weight"] = weight.T if transposed else weight
            state[f"blocks.{i}.{ours}.bias"] = source[f"transformer.h.{i}.{name}.bias"]
    state |= {f"norm.{p}": source[f"transformer.ln_f.{p}"] for p in ("weight", "bias")}
    state["head.weight"] = state["token.weight"]
    fields = {"vocab_size": theirs.vocab_size, "context": theirs.n_positions, "layers": theirs.n_layer,
              "heads": theirs.n_head, "width": theirs.n_embd}
    return fields, state


def _check_variant(theirs) -> None:
    wanted = {
        "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
        "layer_norm_epsilon": (1e-5,),
        "n_inner": (None, 4 * theirs.n_embd),
        "scale_attn_weights": (True,),
        "scale_attn_by_inverse_layer_idx": (False,),
        "add_cross_attention": (False,),
        "tie_word_embeddings": (True,),
    }
    for name, allowed in wanted.items():
        value = getattr(theirs, name, allowed[0])
        if value not in allowed:
            raise ValueError(f"from_hf: {name}={value!r} is not GPT-2's; this model knows {allowed[0]!r} only")


def download(name: str) -> nn.Module:
    """A GPT2LMHeadModel from the hub, its local cache, or a folder."""
    try:
        from transformers import GPT2LMHeadModel
    except ImportError as error:
        raise ImportError("loading from the hub needs transformers: pip install transformers") from error
    try:
        return GPT2LMHeadModel.from_pretrained(name)
    except OSError as error:
        raise ValueError(f"no weights for name={name!r}: https://huggingface.co/{name} could not be reached and they "
                         "are not in the local cache. Check the name, or connect once, or pass a folder that holds "
                         "config.json and model.safetensors") from error


def write(path: Path, fields: dict[str, int], state: dict[str, Tensor]) -> None:
    """Save beside, then rename. The tied head is left out: it is token.weight."""
    tensors = {name: x.detach().contiguous() for name, x in state.items() if name != "head.weight"}
    beside = path.with_name(path.name + ".tmp")
    save_file(tensors, beside, metadata={"magic": MAGIC, "config": json.dumps(fields)})
    os.replace(beside, path)


def read(path: Path) -> tuple[dict[str, int], dict[str, Tensor]]:
    """Fields and state dict of a file that `write` made; nothing in the file is executed or unpickled."""
    if not path.is_file():
        raise ValueError(f"path={path}: no such file; write it first with GPT.save")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or was cut short ({error}); write it again with GPT.save") from error
    if metadata.get("magic") != MAGIC:
        raise ValueError(f"{path} was not written by GPT.save (its metadata says magic={metadata.get('magic')!r}, "
                         f"not {MAGIC!r}); for Hugging Face weights use GPT.from_pretrained")
    state["head.weight"] = state.get("token.weight")
    return _fields(path, metadata), state


def _fields(path: Path, metadata: dict[str, str]) -> dict[str, int]:
    names = {"vocab_size", "context", "layers", "heads", "width"}
    try:
        fields = json.loads(metadata["config"])
    except (KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} has no readable configuration; write it again with GPT.save") from error
    if not isinstance(fields, dict) or set(fields) != names:
        raise ValueError(f"{path}: its configuration has {fields!r}, expected the fields {sorted(names)}")
    return fields


def check(path: Path, state: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    """Every tensor that the model needs, none besides, of its shape, of one known dtype, and finite."""
    if set(state) != set(wanted) or state["head.weight"] is None:
        odd = sorted(set(state) ^ set(wanted)) or ["token.weight"]
        raise ValueError(f"{path}: tensors missing or unknown: {odd[:3]}; write it again with GPT.save")
    dtypes = {x.dtype for x in state.values()}
    if len(dtypes) > 1 or not dtypes <= set(DTYPES):
        raise ValueError(f"{path}: dtypes {sorted(map(str, dtypes))}; expected one of {[str(d) for d in DTYPES]}")
    for name, x in state.items():
        if x.shape != wanted[name].shape:
            raise ValueError(f"{path}: {name} has shape {tuple(x.shape)}, expected {tuple(wanted[name].shape)}")
        if not torch.isfinite(x).all():
            raise ValueError(f"{path}: {name} holds NaN or infinity; the model was saved after it had diverged")
