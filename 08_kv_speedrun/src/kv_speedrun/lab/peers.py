"""The library to compare with. It is imported here and nowhere else, so the package works without it."""

import warnings

import torch
from jaxtyping import Int
from torch import Tensor, nn

from ..config import Config

INSTALL = "pip install -e '.[peers]'"


def transformers_gpt2(config: Config, seed: int) -> nn.Module | None:
    """A GPT2LMHeadModel of this shape with random weights, None without transformers."""
    try:
        from transformers import GPT2Config, GPT2LMHeadModel
    except ImportError:
        return None
    torch.manual_seed(seed)
    shape = GPT2Config(
        vocab_size=config.vocab_size,
        n_positions=config.context_length,
        n_layer=config.layers,
        n_head=config.heads,
        n_embd=config.width,
        bos_token_id=None,
        eos_token_id=None,
    )
    return GPT2LMHeadModel(shape).eval()


def version() -> str:
    """Name and version of the peer, or the command that installs it."""
    try:
        import transformers
    except ImportError:
        return INSTALL
    return f"transformers {transformers.__version__}"


def generate(model: nn.Module, tokens: Int[Tensor, "B T"], max_new_tokens: int, cache: str) -> Int[Tensor, "B N"]:
    """transformers' own greedy `generate`, with its dynamic or its static cache, nothing compiled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.generate(
            tokens,
            attention_mask=torch.ones_like(tokens),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            pad_token_id=0,
            use_cache=True,
            disable_compile=True,
            cache_implementation=None if cache == "dynamic" else cache,
        )
