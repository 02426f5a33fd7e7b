"""The memory of all keys and values, allocated once.

Dimensions:
    L   layers               G   key/value heads
    P   blocks of the pool   D   width of a head
    S   tokens in a block    N   tokens of a step
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


class KVPool:
    """Keys and values of P blocks in each layer. A slot is a block and an offset in it."""

    def __init__(
        self,
        layers: int,
        num_blocks: int,
        kv_heads: int,
        block_size: int,
        head_dim: int,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ):
        shape = (layers, num_blocks, kv_heads, block_size, head_dim)
        self.block_size = block_size
        self.keys = torch.zeros(shape, device=device, dtype=dtype)  # L P G S D
        self.values = torch.zeros_like(self.keys)

    @property
    def nbytes(self) -> int:
        """Bytes of the pool, which it takes from the first moment on."""
        return self.keys.nbytes + self.values.nbytes

    def write(
        self,
        layer: int,
        blocks: Int[Tensor, "N"],
        offsets: Int[Tensor, "N"],
        k: Float[Tensor, "N G D"],
        v: Float[Tensor, "N G D"],
    ) -> None:
        """Put one key and one value into each slot."""
        self.keys[layer][blocks, :, offsets] = k
        self.values[layer][blocks, :, offsets] = v

    def copy_block(self, source: int, target: int) -> None:
        """Copy a block's keys and values in every layer."""
        self.keys[:, target] = self.keys[:, source]
        self.values[:, target] = self.values[:, source]
