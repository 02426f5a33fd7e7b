"""GPT-2's weights from transformers, as a GPT of ours."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..attention import attend
from ..config import Config
from ..model import GPT
from .state import empty_model, fill_model

# our module: (theirs, is its weight stored transposed?) GPT-2's Conv1D keeps (in, out), nn.Linear (out, in).
BLOCK = {
    "ln_1": ("ln_1", False),
    "qkv_proj": ("attn.c_attn", True),
    "o_proj": ("attn.c_proj", True),
    "ln_2": ("ln_2", False),
    "up_proj": ("mlp.c_fc", True),
    "down_proj": ("mlp.c_proj", True),
}


def from_pretrained(name: str = "gpt2", attend: Callable = attend) -> GPT:
    """Weights from the Hugging Face hub: gpt2, gpt2-medium, gpt2-large, gpt2-xl, distilgpt2, or a local folder.

    Raises:
        ValueError: neither the hub nor its local cache has them.
        ImportError: transformers is not installed.
    """
    try:
        from transformers import GPT2LMHeadModel
    except ImportError as error:
        raise ImportError("loading from the hub needs transformers: pip install transformers") from error
    try:
        return from_hf(GPT2LMHeadModel.from_pretrained(name), attend)
    except OSError as error:
        raise ValueError(
            f"name={name!r}: https://huggingface.co/{name} could not be reached, and its weights are not in the local "
            "cache; check the name, connect once, or pass a folder that holds config.json and model.safetensors"
        ) from error


def from_hf(model: nn.Module, attend: Callable = attend) -> GPT:
    """A copy of a `transformers.GPT2LMHeadModel`, in its dtype.

    Raises:
        ValueError: the model is of another class, a variant that GPT-2 never had, or its head is not tied.
    """
    theirs = getattr(model, "config", None)
    source = model.state_dict()
    if getattr(theirs, "model_type", None) != "gpt2" or "lm_head.weight" not in source:
        raise ValueError(f"model={type(model).__name__}: must be a transformers GPT2LMHeadModel")
    check_variant(theirs)
    if not torch.equal(source["lm_head.weight"], source["transformer.wte.weight"]):
        raise ValueError(
            "lm_head.weight differs from wte.weight: this model's head is tied; load an untied one elsewhere"
        )
    config = Config(theirs.vocab_size, theirs.n_positions, theirs.n_layer, theirs.n_head, theirs.n_embd)
    return fill_model(empty_model(config, attend), rename(source, config.layers))


def rename(source: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Their state dict under our names."""
    state = {"wte.weight": source["transformer.wte.weight"], "wpe.weight": source["transformer.wpe.weight"]}
    for i in range(layers):
        for ours, (theirs, transposed) in BLOCK.items():
            weight = source[f"transformer.h.{i}.{theirs}.weight"]
            state[f"blocks.{i}.{ours}.weight"] = weight.T if transposed else weight
            state[f"blocks.{i}.{ours}.bias"] = source[f"transformer.h.{i}.{theirs}.bias"]
    state |= {f"ln_f.{p}": source[f"transformer.ln_f.{p}"] for p in ("weight", "bias")}
    state["lm_head.weight"] = state["wte.weight"]
    return state


def check_variant(config) -> None:
    """Refuse the options of GPT2Config that change the arithmetic."""
    allowed = {
        "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
        "layer_norm_epsilon": (1e-5,),
        "n_inner": (None, 4 * config.n_embd),
        "scale_attn_weights": (True,),
        "scale_attn_by_inverse_layer_idx": (False,),
        "add_cross_attention": (False,),
        "tie_word_embeddings": (True,),
    }
    for name, values in allowed.items():
        value = getattr(config, name, values[0])
        if value not in values:
            raise ValueError(f"{name}={value!r}: must be {values[0]!r}, as in GPT-2")
