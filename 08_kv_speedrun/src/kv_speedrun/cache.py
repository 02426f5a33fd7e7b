"""Three places to keep keys and values: the plain form, the one to use, and one of a quarter of the size.

All three answer to the same five names, and a model needs no others:

    position                  tokens held so far; the next token stands at this position
    update(layer, k, v)       add the new keys and values of one layer, return all of that layer's, old and new
    reset()                   forget everything, keep the memory
    truncate(n)               forget all but the first n tokens (a rejected draft, a shared prefix)
    nbytes                    bytes of memory the cache holds

Dimensions: L layers, B batch, H heads, T tokens, D width of a head.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from .quantize import dequantize, quantize


class GrowingCache:
    """The plain form: concatenate. Right, and every step copies all that came before: T²/2 tokens over T steps."""

    def __init__(self, layers: int):
        self.layers = layers
        self.reset()

    @property
    def position(self) -> int:
        """A token counts once every layer has it, so that all layers of one step see the same position."""
        return min(0 if k is None else k.shape[2] for k in self.keys)

    @property
    def nbytes(self) -> int:
        return sum(x.nbytes for x in self.keys + self.values if x is not None)

    def update(
        self, layer: int, k: Float[Tensor, "B H T D"], v: Float[Tensor, "B H T D"]
    ) -> tuple[Float[Tensor, "B H Tk D"], Float[Tensor, "B H Tk D"]]:
        """Append along time and return the layer's keys and values."""
        if self.keys[layer] is not None:
            k = torch.cat([self.keys[layer], k], dim=2)
            v = torch.cat([self.values[layer], v], dim=2)
        self.keys[layer], self.values[layer] = k, v
        return k, v

    def reset(self) -> None:
        self.keys: list[Tensor | None] = [None] * self.layers
        self.values: list[Tensor | None] = [None] * self.layers

    def truncate(self, n: int) -> None:
        """Keep the first n tokens. Raises ValueError when fewer are held."""
        _check_truncate(n, self.position)
        if n == 0:
            return self.reset()
        self.keys = [k[:, :, :n] for k in self.keys]
        self.values = [v[:, :, :n] for v in self.values]


class StaticCache:
    """Allocated once, written in place: each step writes one column and hands out views of what is filled.

    Every layer keeps its own fill. Within one step layer 0 is a token ahead of layer 1; `position` moves only when
    the last of them has written, so nothing reads a half-written step.
    """

    def __init__(
        self,
        config,
        batch: int,
        length: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ):
        _check_size(batch, length)
        shape = (config.layers, batch, config.heads, length, config.head_dim)
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.fill = [0] * config.layers

    @property
    def position(self) -> int:
        return min(self.fill)

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.values.nbytes

    def update(
        self, layer: int, k: Float[Tensor, "B H T D"], v: Float[Tensor, "B H T D"]
    ) -> tuple[Float[Tensor, "B H Tk D"], Float[Tensor, "B H Tk D"]]:
        """Write after what the layer holds and return views of all of it; nothing old is copied.

        Raises ValueError when the new tokens do not fit, or when k or v were made for another model, batch or dtype.
        """
        _check_update(k, v, self.keys[layer], self.keys.dtype, self.fill[layer])
        start, end = self.fill[layer], self.fill[layer] + k.shape[2]
        self.keys[layer, :, :, start:end] = k
        self.values[layer, :, :, start:end] = v
        self.fill[layer] = end
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def reset(self) -> None:
        self.fill = [0] * len(self.fill)

    def truncate(self, n: int) -> None:
        """Keep the first n tokens: only the fill moves. Raises ValueError when fewer are held."""
        _check_truncate(n, self.position)
        self.fill = [n] * len(self.fill)


class Int8Cache:
    """Codes of one byte, and one fp32 scale per token and head: (D + 4) bytes where fp32 takes 4 D.

    A scale per token, because tokens differ: one loud token under a shared scale would leave the quiet ones a handful
    of codes. A token is quantized once, when it is written; it is dequantized at every step, which is work that a
    kernel reading int8 directly would not do. The memory is a quarter; the arithmetic is not.
    """

    def __init__(
        self,
        config,
        batch: int,
        length: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ):
        _check_size(batch, length)
        shape = (2, config.layers, batch, config.heads, length)                 # 2: keys, values
        self.codes = torch.zeros(*shape, config.head_dim, dtype=torch.int8, device=device)
        self.scales = torch.ones(*shape, 1, dtype=torch.float32, device=device)
        self.dtype = dtype
        self.fill = [0] * config.layers

    @property
    def position(self) -> int:
        return min(self.fill)

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.scales.nbytes

    def update(
        self, layer: int, k: Float[Tensor, "B H T D"], v: Float[Tensor, "B H T D"]
    ) -> tuple[Float[Tensor, "B H Tk D"], Float[Tensor, "B H Tk D"]]:
        """Quantize and write the new tokens, return all of the layer's, dequantized. Raises as StaticCache does."""
        _check_update(k, v, self.codes[0, layer], self.dtype, self.fill[layer])
        start, end = self.fill[layer], self.fill[layer] + k.shape[2]
        codes, scales = quantize(torch.stack([k, v]))
        self.codes[:, layer, :, :, start:end] = codes
        self.scales[:, layer, :, :, start:end] = scales
        self.fill[layer] = end
        keys, values = dequantize(self.codes[:, layer, :, :, :end], self.scales[:, layer, :, :, :end]).to(self.dtype)
        return keys, values

    def reset(self) -> None:
        self.fill = [0] * len(self.fill)

    def truncate(self, n: int) -> None:
        """Keep the first n tokens. Raises ValueError when fewer are held."""
        _check_truncate(n, self.position)
        self.fill = [n] * len(self.fill)


def _check_size(batch: int, length: int) -> None:
    if batch < 1 or length < 1:
        raise ValueError(f"batch={batch}, length={length}: a cache needs at least one row and room for one token")


def _check_truncate(n: int, position: int) -> None:
    if not 0 <= n <= position:
        raise ValueError(f"truncate(n={n}): the cache holds {position} tokens; n must be between 0 and {position}")


def _check_update(k: Tensor, v: Tensor, held: Tensor, dtype: torch.dtype, fill: int) -> None:
    batch, heads, length, width = held.shape
    for name, x in (("k", k), ("v", v)):
        if (x.shape[0], x.shape[1], x.shape[3]) != (batch, heads, width):
            raise ValueError(f"{name} has shape {tuple(x.shape)}, but this cache was made for batch {batch}, "
                             f"{heads} heads of width {width}; make a cache for this batch and model")
        if x.dtype != dtype:
            raise ValueError(f"{name} is {x.dtype}, but this cache holds {dtype}; give the cache the model's dtype")
    if fill + k.shape[2] > length:
        raise ValueError(f"the cache has length {length} and holds {fill} tokens, so {k.shape[2]} more do not fit; "
                         f"make one with length >= {fill + k.shape[2]}")
