"""The cache: memory for the keys and values of all layers, allocated once."""

from collections.abc import Sequence

import torch
from torch import Tensor

Part = tuple[int, ...]  # the sizes of one token's part of a layer, e.g. (kv_heads, head_dim) for keys


class Cache:
    """Room for `max_len` tokens. Grouped attention has two parts, keys and values; latent attention two others.

    A part of sizes (G, D) is kept as (L, B, G, max_len, D): time stands before the last axis.
    """

    def __init__(self, layers: int, batch: int, max_len: int, parts: Sequence[Part], dtype=torch.float32, device="cpu"):
        self.max_len, self.lengths = max_len, [0] * layers
        sizes = [(layers, batch, *part[:-1], max_len, part[-1]) for part in parts]
        self.buffers = [torch.zeros(size, dtype=dtype, device=device) for size in sizes]

    @property
    def position(self) -> int:
        """Tokens that every layer holds: the position of the next one."""
        return min(self.lengths)

    @property
    def nbytes(self) -> int:
        """Bytes allocated."""
        return sum(buffer.nbytes for buffer in self.buffers)

    def update(self, layer: int, *new: Tensor) -> list[Tensor]:
        """Write a layer's new tokens; returns views of all that it holds.

        Raises:
            ValueError: there is no room.
        """
        start, end = self.lengths[layer], self.lengths[layer] + new[0].shape[-2]
        if end > self.max_len:
            raise ValueError(f"tokens={end}: the cache has room for {self.max_len}; make it longer")
        for buffer, part in zip(self.buffers, new, strict=True):
            buffer[layer, ..., start:end, :] = part
        self.lengths[layer] = end
        return [buffer[layer, ..., :end, :] for buffer in self.buffers]
