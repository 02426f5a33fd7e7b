"""Side quest: prompts that begin alike share the keys and values of their beginning.

A chat's system prompt, or the examples before every question, is prefilled once. Keys of a token depend on all tokens
before it, so what can be shared is a prefix and nothing else: the same block after another beginning is another block.
Blocks of fixed size are found by the chain of blocks before them, the plan of automatic prefix caching in vLLM
(Kwon et al. 2023, §4.4) without its paging: blocks are copied into the cache rather than referred to.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from .cache import StaticCache


class PrefixStore:
    """Blocks of keys and values by the tokens that lead to them; the least recently used is dropped when full.

    hits and misses count prompt tokens: those copied out of the store, and those that went through the model.
    """

    def __init__(self, block: int = 16, capacity: int = 256):
        if block < 1 or capacity < 1:
            raise ValueError(f"block={block}, capacity={capacity}: both must be at least 1")
        self.block, self.capacity = block, capacity
        self.blocks: OrderedDict[tuple[int, ...], tuple[Tensor, Tensor]] = OrderedDict()
        self.hits = self.misses = 0

    @property
    def nbytes(self) -> int:
        return sum(k.nbytes + v.nbytes for k, v in self.blocks.values())

    def match(self, prompt: Sequence[int]) -> list[tuple[int, ...]]:
        """The stored blocks that `prompt` starts with, at most all but its last token: that one must be run."""
        found = []
        for end in range(self.block, len(prompt), self.block):
            key = tuple(prompt[:end])
            if key not in self.blocks:
                break
            found.append(key)
        self._touch(found)
        return found

    def load(self, found: list[tuple[int, ...]], cache: StaticCache) -> None:
        """Copy blocks into an empty cache, through the same door as the model's own keys."""
        for key in found:
            keys, values = self.blocks[key]
            for layer in range(keys.shape[0]):
                cache.update(layer, keys[layer], values[layer])

    def keep(self, prompt: Sequence[int], cache: StaticCache) -> None:
        """Store copies of the whole blocks of a prompt that has been prefilled."""
        ends = range(self.block, len(prompt) + 1, self.block)
        for end in ends:
            if (key := tuple(prompt[:end])) not in self.blocks:
                part = slice(end - self.block, end)
                self.blocks[key] = (cache.keys[..., part, :].clone(), cache.values[..., part, :].clone())
        self._touch([tuple(prompt[:end]) for end in ends])
        while len(self.blocks) > self.capacity:
            self.blocks.popitem(last=False)

    def _touch(self, chain: list[tuple[int, ...]]) -> None:
        """Mark as used, the beginning last: a chain is dropped from its end, for without its beginning it is lost."""
        for key in reversed(chain):
            self.blocks.move_to_end(key)


@torch.no_grad()
def prefill_shared(model, prompt: Sequence[int], cache: StaticCache, store: PrefixStore) -> Float[Tensor, "1 V"]:
    """Prefill one prompt, running only what no earlier prompt shared; the logits are those of a full prefill.

    A block belongs to the model that made it: use one store per model. Raises ValueError for an empty prompt, or a
    cache with more than one row.
    """
    if len(prompt) == 0:
        raise ValueError("prompt is empty; give at least one token")
    if cache.keys.shape[1] != 1:
        raise ValueError(f"the cache has {cache.keys.shape[1]} rows; a shared prefix is loaded into a cache of batch 1")
    cache.reset()
    store.load(store.match(prompt), cache)
    store.hits += cache.position
    store.misses += len(prompt) - cache.position
    tokens = torch.tensor([list(prompt[cache.position:])], device=cache.keys.device)
    logits = model(tokens, cache, last_only=True)[:, -1]
    store.keep(prompt, cache)
    return logits
