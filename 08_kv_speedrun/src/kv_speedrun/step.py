"""One step of a model with a cache, written out plainly: the chapter's one idea in eight lines.

`GPT.forward` is this and padding. A step may be a whole prompt (prefill), a piece of one (chunked prefill) or a single
token (decode): the rule is the same, and any way of cutting a sequence into steps gives the same logits.

Dimensions: B batch, T new tokens, V vocabulary.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .attention import attend


def forward_with_cache(model, tokens: Int[Tensor, "B T"], cache) -> Float[Tensor, "B T V"]:
    """Logits after each of `tokens`, which follow the cache.position tokens that the cache already holds.

    Two things differ from a forward pass without a cache. Positions go on where the cache ends; and in each layer the
    queries of the new tokens meet the keys and values of all tokens, which the cache returns once it has the new ones.
    """
    position = torch.arange(cache.position, cache.position + tokens.shape[1], device=tokens.device)
    x = model.token(tokens) + model.place(position)
    for layer, block in enumerate(model.blocks):
        q, k, v = block.project(x)
        k, v = cache.update(layer, k, v)
        x = block.finish(x, attend(q, k, v))
    return model.head(model.norm(x))
