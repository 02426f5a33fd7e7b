"""The libraries measured beside: imported here and nowhere else, so that the package works without them."""

import warnings

import torch
from jaxtyping import Int
from torch import Tensor, nn

INSTALL = 'pip install "kv-speedrun[peers]"'


def transformers_gpt2(config, seed: int) -> nn.Module | str:
    """A GPT2LMHeadModel of this shape with random weights, or the command that installs what it needs."""
    try:
        from transformers import GPT2Config, GPT2LMHeadModel
    except ImportError:
        return INSTALL
    torch.manual_seed(seed)
    theirs = GPT2Config(vocab_size=config.vocab_size, n_positions=config.context, n_layer=config.layers,
                        n_head=config.heads, n_embd=config.width, bos_token_id=None, eos_token_id=None)
    return GPT2LMHeadModel(theirs).eval()


def version() -> str:
    """Name and version of the peer, or the command that installs it."""
    try:
        import transformers
    except ImportError:
        return INSTALL
    return f"transformers {transformers.__version__}"


def generate(model: nn.Module, tokens: Int[Tensor, "B T"], new: int, cache: str) -> Int[Tensor, "B N"]:
    """transformers' own greedy `generate`, with its dynamic or its static cache, nothing compiled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.generate(tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=new, do_sample=False,
                              pad_token_id=0, use_cache=True, disable_compile=True,
                              cache_implementation=None if cache == "dynamic" else cache)
