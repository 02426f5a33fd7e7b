"""Greedy generation, first without a cache and then with one. The two return the same tokens.

Dimensions: B batch, T tokens of the prompt, N tokens in all (T + new).
"""

import torch
from jaxtyping import Int
from torch import Tensor


@torch.no_grad()
def generate_without_cache(model, tokens: Int[Tensor, "B T"], new: int) -> Int[Tensor, "B N"]:
    """The plain form: to get one more token, run everything again. Step n works on T + n tokens."""
    _check_room(model, tokens, new)
    for _ in range(new):
        logits = model(tokens, last_only=True)
        tokens = torch.cat([tokens, logits[:, -1].argmax(dim=-1, keepdim=True)], dim=1)
    return tokens


@torch.no_grad()
def generate(model, tokens: Int[Tensor, "B T"], new: int, cache) -> Int[Tensor, "B N"]:
    """The prompt once (prefill), then one token a step (decode): every position goes through the model once.

    The last token is returned and never fed: nothing would be done with its logits. The cache is reset first, since
    keys of another prompt are as good as any other to attention, and it would answer about both.

    Raises ValueError when the prompt and the new tokens exceed the model's position table, before any work is done.
    """
    _check_room(model, tokens, new)
    cache.reset()
    out = [tokens]
    for _ in range(new):
        logits = model(out[-1], cache, last_only=True)
        out.append(logits[:, -1].argmax(dim=-1, keepdim=True))
    return torch.cat(out, dim=1)


def _check_room(model, tokens: Tensor, new: int) -> None:
    if new < 0:
        raise ValueError(f"new={new}: the number of new tokens cannot be negative")
    if tokens.shape[1] + new - 1 > model.config.context:
        raise ValueError(f"{tokens.shape[1]} prompt tokens and new={new} need {tokens.shape[1] + new - 1} positions, "
                         f"but the model has {model.config.context}; shorten the prompt or ask for fewer")
