"""What is refused. Every error names the value, the rule, and what to do."""

import torch
from torch import Tensor

from .config import Config


def check_tokens(tokens: Tensor, config: Config, start: int = 0) -> None:
    """Tokens that the model can read after `start` earlier ones."""
    if tokens.dtype not in (torch.int64, torch.int32):
        raise ValueError(f"tokens.dtype={tokens.dtype}: must be int64 or int32; pass tokens.long()")
    if tokens.dim() != 2 or tokens.numel() == 0:
        raise ValueError(
            f"tokens.shape={tuple(tokens.shape)}: must be (batch, time) with at least one token in each row; "
            "pass tokens[None] for one row, and start an empty prompt with a begin-of-text token"
        )
    end = start + tokens.shape[1]
    if end > config.context_length:
        raise ValueError(
            f"context_length={config.context_length}: {tokens.shape[1]} tokens after {start} need {end} positions; "
            "shorten the prompt or ask for fewer tokens"
        )
    low, high = tokens.aminmax()
    if low < 0 or high >= config.vocab_size:
        raise ValueError(
            f"vocab_size={config.vocab_size}: tokens run from {int(low)} to {int(high)}, allowed are 0 to "
            f"{config.vocab_size - 1}; use the tokenizer that the model was trained with"
        )


def check_num_pad(num_pad: Tensor, rows: int, end: int) -> None:
    """One count of padding tokens for each row, and at least one token that is none."""
    if num_pad.shape != (rows,) or num_pad.min() < 0 or num_pad.max() >= end:
        raise ValueError(
            f"num_pad={num_pad.tolist()}: must hold one count for each of {rows} rows, from 0 to {end - 1}; "
            "use pad_left to make it"
        )


def check_request(config: Config, tokens: Tensor, max_new_tokens: int, max_seq_len: int | None = None) -> None:
    """Generation that can be finished. The last new token is not fed, so it needs no position and no slot."""
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens={max_new_tokens}: must be at least 0")
    check_tokens(tokens, config)
    fed = tokens.shape[1] + max(max_new_tokens - 1, 0)
    if fed > config.context_length:
        raise ValueError(
            f"context_length={config.context_length}: {tokens.shape[1]} prompt tokens and "
            f"max_new_tokens={max_new_tokens} need {fed} positions; shorten the prompt or ask for fewer"
        )
    if max_seq_len is not None and fed > max_seq_len:
        raise ValueError(
            f"max_seq_len={max_seq_len}: the cache is too short for {fed} tokens; make one with max_seq_len >= {fed}"
        )


def check_layers(cache_layers: int, model_layers: int) -> None:
    """With more layers than the model writes, a cache's position would never move."""
    if cache_layers != model_layers:
        raise ValueError(
            f"cache.layers={cache_layers}: the model has {model_layers}; make the cache from the model's config"
        )


def check_size(batch_size: int, max_seq_len: int) -> None:
    if batch_size < 1 or max_seq_len < 1:
        raise ValueError(f"batch_size={batch_size}, max_seq_len={max_seq_len}: both must be at least 1")


def check_crop(max_length: int, position: int) -> None:
    if not 0 <= max_length <= position:
        raise ValueError(f"max_length={max_length}: the cache holds {position} tokens; pass 0 to {position}")


def check_update(layer: int, k: Tensor, v: Tensor, held: Tensor) -> None:
    """New keys and values for memory of shape (layers, batch, heads, max_seq_len, head_dim)."""
    layers, batch, heads, _, head_dim = held.shape
    if not 0 <= layer < layers:
        raise ValueError(f"layer={layer}: the cache has {layers} layers; pass 0 to {layers - 1}")
    for name, x in (("k", k), ("v", v)):
        if (x.shape[0], x.shape[1], x.shape[3]) != (batch, heads, head_dim):
            raise ValueError(
                f"{name}.shape={tuple(x.shape)}: this cache holds batch {batch}, {heads} heads, head_dim {head_dim}; "
                "make a cache for this batch and model"
            )
        if (x.dtype, x.device) != (held.dtype, held.device):
            raise ValueError(
                f"{name} is {x.dtype} on {x.device}: this cache holds {held.dtype} on {held.device}; "
                "make the cache with the model's dtype and device"
            )
