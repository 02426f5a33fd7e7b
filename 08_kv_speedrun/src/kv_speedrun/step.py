"""One step of a model with a cache: the idea of the chapter in ten lines.

`GPT.forward` does the same, with padding. A step may be a whole prompt (prefill), a piece of one (chunked prefill) or
a single token (decode). Any way of cutting a sequence into steps gives the same logits.

Dimensions: B batch, T new tokens, V vocabulary.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .attention import attend
from .cache import KVCache
from .checks import check_layers
from .model import GPT


def forward_with_cache(model: GPT, tokens: Int[Tensor, "B T"], cache: KVCache) -> Float[Tensor, "B T V"]:
    """Logits after each of `tokens`, which follow the `cache.position` tokens that the cache already holds.

    Two things differ from a forward pass without a cache. Positions go on where the cache ends. In each layer the new
    queries meet the keys and values of all tokens, which the cache returns once it has the new ones.

    Raises:
        ValueError: the cache was made for another number of layers.
    """
    check_layers(cache.layers, len(model.blocks))
    positions = torch.arange(cache.position, cache.position + tokens.shape[1], device=tokens.device)
    x = model.wte(tokens) + model.wpe(positions)
    for layer, block in enumerate(model.blocks):
        q, k, v = block.project(x)
        k, v = cache.update(layer, k, v)
        x = block.finish(x, attend(q, k, v))
    return model.lm_head(model.ln_f(x))
