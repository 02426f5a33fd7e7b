"""Two caches for keys and values: the plain form, and the one to use.

A new token attends to all tokens before it, so their keys and values are needed again. Their queries are not: each
query is used once, by its own token.

`KVCache` lists what a model needs from a cache. Any class with these names will do; it need not inherit. A third
cache, in one byte per number, is in `int8_cache`.

Dimensions: L layers, B batch, H heads, T new tokens, Tk all tokens held, D width of a head.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Num
from torch import Tensor

from .checks import check_crop, check_size, check_update
from .config import Config


@runtime_checkable
class KVCache(Protocol):
    """What a model needs from a cache. The caches here also have `nbytes` and `crop`."""

    layers: int  # layers of the model it was made for
    max_seq_len: int | None  # tokens it has room for; None: no limit

    @property
    def position(self) -> int:
        """Tokens that every layer holds. The next token has this position."""

    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add the new keys and values of one layer; return all of that layer's, old and new."""

    def reset(self) -> None:
        """Forget everything."""


class GrowingCache:
    """The plain form: concatenate. Each step copies all that came before: n steps of one token copy n²/2 tokens.

    A cache holds numbers without gradients. With gradients, the intermediate results of every step would stay in
    memory for a backward pass that never comes.
    """

    max_seq_len = None

    def __init__(self, config: Config):
        self.layers = config.layers
        self.reset()

    @property
    def position(self) -> int:
        """A token counts once the last layer has it. Until then, every layer of the step sees the old position."""
        return min(0 if k is None else k.shape[2] for k in self.keys)

    @property
    def nbytes(self) -> int:
        return sum(x.nbytes for x in self.keys + self.values if x is not None)

    def update(
        self, layer: int, k: Float[Tensor, "B H T D"], v: Float[Tensor, "B H T D"]
    ) -> tuple[Float[Tensor, "B H Tk D"], Float[Tensor, "B H Tk D"]]:
        """Append along time; return the layer's keys and values."""
        k, v = k.detach(), v.detach()
        if self.keys[layer] is not None:
            k = torch.cat([self.keys[layer], k], dim=2)
            v = torch.cat([self.values[layer], v], dim=2)
        self.keys[layer], self.values[layer] = k, v
        return k, v

    def reset(self) -> None:
        self.keys: list[Tensor | None] = [None] * self.layers
        self.values: list[Tensor | None] = [None] * self.layers

    def crop(self, max_length: int) -> None:
        """Keep the first `max_length` tokens, for example a prefix that several prompts share.

        What is kept is a view: the memory of the others is free only after the next `update`, which copies.

        Raises:
            ValueError: fewer are held.
        """
        check_crop(max_length, self.position)
        if max_length == 0:
            return self.reset()
        self.keys = [k[:, :, :max_length] for k in self.keys]
        self.values = [v[:, :, :max_length] for v in self.values]


class StaticCache:
    """Allocated once and written in place. Each step writes its own tokens and returns views of all tokens.

    Every layer counts its own tokens in `seq_lens`. With two layers and four tokens held, `seq_lens` is [5, 4] after
    layer 0 has written the fifth, and `position` is still 4. It moves when the last layer has written, so nothing
    reads a half-written step. A view shares its memory with the cache: after a `crop`, new tokens change it.

    Raises:
        ValueError: `batch_size` or `max_seq_len` is below 1.
    """

    def __init__(
        self,
        config: Config,
        batch_size: int,
        max_seq_len: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ):
        check_size(batch_size, max_seq_len)
        shape = (config.layers, batch_size, config.heads, max_seq_len, config.head_dim)
        self.layers, self.max_seq_len = config.layers, max_seq_len
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.seq_lens = [0] * config.layers

    @property
    def position(self) -> int:
        return min(self.seq_lens)

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.values.nbytes

    def update(
        self, layer: int, k: Num[Tensor, "B H T D"], v: Num[Tensor, "B H T D"]
    ) -> tuple[Num[Tensor, "B H Tk D"], Num[Tensor, "B H Tk D"]]:
        """Write the new tokens after those the layer holds; return views of all of them. Nothing old is copied.

        Raises:
            ValueError: the new tokens do not fit, or k or v were made for another model, batch, dtype or device.
        """
        check_update(layer, k, v, self.keys)
        start = self.seq_lens[layer]
        end = start + k.shape[2]
        if end > self.max_seq_len:
            raise ValueError(
                f"max_seq_len={self.max_seq_len}: layer {layer} holds {start} tokens, so {k.shape[2]} more do not fit; "
                f"make a cache with max_seq_len >= {end}"
            )
        self.keys[layer, :, :, start:end] = k.detach()
        self.values[layer, :, :, start:end] = v.detach()
        self.seq_lens[layer] = end
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def reset(self) -> None:
        self.seq_lens = [0] * self.layers

    def crop(self, max_length: int) -> None:
        """Keep the first `max_length` tokens. Only the counts change; later tokens are written over the rest.

        Raises:
            ValueError: fewer are held.
        """
        check_crop(max_length, self.position)
        self.seq_lens = [max_length] * self.layers
