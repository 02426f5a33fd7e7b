"""Prompts that begin alike share the keys and values of their beginning.

A chat's system prompt is prefilled once. Keys of a token depend on all tokens before it, so only a prefix can be
shared: the same block after another beginning is another block. Blocks of fixed size are found by all tokens that lead
to them, as in vLLM's automatic prefix caching (Kwon et al. 2023, §4.4). There is no paging here: blocks are copied into
the cache.

Dimensions: L layers, H heads, D width of a head, V vocabulary.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..cache import StaticCache
from ..model import GPT

Prefix = tuple[int, ...]


class PrefixCache:
    """Blocks of keys and values of one model, by the tokens that lead to them.

    The least recently used block is dropped when there are more than `capacity`. `hit_tokens` and `miss_tokens` count
    the prompt tokens that were copied and those that went through the model.

    Raises:
        ValueError: `block_size` or `capacity` is below 1.
    """

    def __init__(self, model: GPT, block_size: int = 16, capacity: int = 256):
        if block_size < 1 or capacity < 1:
            raise ValueError(f"block_size={block_size}, capacity={capacity}: both must be at least 1")
        self.model, self.block_size, self.capacity = model, block_size, capacity
        self.blocks: OrderedDict[Prefix, tuple[Tensor, Tensor]] = OrderedDict()
        self.hit_tokens = self.miss_tokens = 0

    @property
    def nbytes(self) -> int:
        return sum(k.nbytes + v.nbytes for k, v in self.blocks.values())

    @torch.no_grad()
    def prefill(self, prompt: Sequence[int] | Int[Tensor, "T"], cache: StaticCache) -> Float[Tensor, "1 V"]:
        """Prefill one prompt, running only the tokens that no earlier prompt shared.

        The logits are those of a full prefill.

        Raises:
            ValueError: the prompt is empty, or the cache is not a StaticCache of batch size 1.
        """
        if len(prompt) == 0:
            raise ValueError("prompt=[]: must hold at least one token; start it with a begin-of-text token")
        if type(cache) is not StaticCache or cache.keys.shape[1] != 1:
            raise ValueError(f"cache={type(cache).__name__}: must be a StaticCache with batch_size=1")
        tokens = tuple(int(token) for token in prompt)  # a tensor's elements would never be found again
        cache.reset()
        self.copy_into(cache, self.lookup(tokens))
        self.hit_tokens += cache.position
        self.miss_tokens += len(tokens) - cache.position
        rest = torch.tensor([tokens[cache.position :]], device=cache.keys.device)
        logits = self.model(rest, cache, last_only=True)[:, -1]
        self.insert(tokens, cache)
        return logits

    def lookup(self, tokens: Prefix) -> list[Prefix]:
        """The stored blocks that `tokens` start with. At least the last token is left out: it must be run."""
        matched = []
        for end in range(self.block_size, len(tokens), self.block_size):
            if tokens[:end] not in self.blocks:
                break
            matched.append(tokens[:end])
        self._mark_used(matched)
        return matched

    def insert(self, tokens: Prefix, cache: StaticCache) -> None:
        """Store copies of the whole blocks of a prompt that has been prefilled."""
        prefixes = [tokens[:end] for end in range(self.block_size, len(tokens) + 1, self.block_size)]
        for prefix in prefixes:
            if prefix not in self.blocks:
                block = slice(len(prefix) - self.block_size, len(prefix))
                self.blocks[prefix] = (cache.keys[..., block, :].clone(), cache.values[..., block, :].clone())
        self._mark_used(prefixes)
        while len(self.blocks) > self.capacity:
            self.blocks.popitem(last=False)

    def copy_into(self, cache: StaticCache, prefixes: list[Prefix]) -> None:
        """Copy blocks into an empty cache with `cache.update`."""
        for prefix in prefixes:
            keys, values = self.blocks[prefix]  # L 1 H block D
            for layer in range(cache.layers):
                cache.update(layer, keys[layer], values[layer])

    def _mark_used(self, prefixes: list[Prefix]) -> None:
        """The shortest prefix last, so that the end of a chain is dropped first: without its beginning it is lost."""
        for prefix in reversed(prefixes):
            self.blocks.move_to_end(prefix)
