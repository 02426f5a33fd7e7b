"""Greedy generation, first without a cache and then with one. The two return the same tokens.

Dimensions: B batch, T tokens of the prompt, N = T + max_new_tokens.
"""

import torch
from jaxtyping import Int
from torch import Tensor

from .cache import KVCache
from .checks import check_request
from .model import GPT


@torch.no_grad()
def generate_without_cache(model: GPT, tokens: Int[Tensor, "B T"], max_new_tokens: int) -> Int[Tensor, "B N"]:
    """The plain form: to get one more token, run everything again. Step n works on T + n tokens.

    Raises:
        ValueError: as `generate`.
    """
    check_request(model.config, tokens, max_new_tokens)
    for _ in range(max_new_tokens):
        logits = model(tokens, last_only=True)
        new = logits[:, -1].argmax(dim=-1, keepdim=True).to(tokens.dtype)
        tokens = torch.cat([tokens, new], dim=1)
    return tokens


@torch.no_grad()
def generate(model: GPT, tokens: Int[Tensor, "B T"], max_new_tokens: int, cache: KVCache) -> Int[Tensor, "B N"]:
    """The prompt at once (prefill), then one token a step (decode). Every token goes through the model once.

    The last token is returned and never fed, because nobody reads its logits. The cache is reset first. Otherwise
    attention would read the keys of an earlier prompt too.

    Raises:
        ValueError: before any work, when the prompt and the new tokens exceed the model's positions or the cache, or
            when the prompt is empty or not (batch, time).
    """
    check_request(model.config, tokens, max_new_tokens, cache.max_seq_len)
    cache.reset()
    pieces = [tokens]
    for _ in range(max_new_tokens):
        logits = model(pieces[-1], cache, last_only=True)
        pieces.append(logits[:, -1].argmax(dim=-1, keepdim=True).to(tokens.dtype))
    return torch.cat(pieces, dim=1)
