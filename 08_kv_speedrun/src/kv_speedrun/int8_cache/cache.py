"""A `StaticCache` of codes: a byte per number, and an fp32 scale per token and head.

Dimensions: B batch, H heads, T new tokens, Tk all tokens held, D width of a head.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ..cache import StaticCache
from ..config import Config
from .quantization import dequantize, quantize


class Int8Cache(StaticCache):
    """(D + 4) bytes for a key or value, where fp32 takes 4 D.

    Each token has its own scale. Under a shared scale, one token with large values would leave the others few codes.
    A token is quantized once, when it is written. It is dequantized at every step, which a kernel that reads int8
    would not need. The memory is a quarter; the arithmetic is not.

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
        super().__init__(config, batch_size, max_seq_len, torch.int8, device)  # keys and values hold codes
        shape = (*self.keys.shape[:-1], 1)
        self.key_scales = torch.ones(shape, dtype=torch.float32, device=device)
        self.value_scales = torch.ones(shape, dtype=torch.float32, device=device)
        self.dtype = dtype

    @property
    def nbytes(self) -> int:
        return super().nbytes + self.key_scales.nbytes + self.value_scales.nbytes

    def update(
        self, layer: int, k: Float[Tensor, "B H T D"], v: Float[Tensor, "B H T D"]
    ) -> tuple[Float[Tensor, "B H Tk D"], Float[Tensor, "B H Tk D"]]:
        """Quantize and write the new tokens; return all of the layer's, dequantized.

        Raises:
            ValueError: as `StaticCache.update`, or k or v holds NaN or infinity.
        """
        for name, x in (("k", k), ("v", v)):
            if x.dtype != self.dtype:
                raise ValueError(
                    f"{name} is {x.dtype}: this cache returns {self.dtype}; make it with the model's dtype"
                )
        k_codes, k_scales = quantize(k.detach())
        v_codes, v_scales = quantize(v.detach())
        keys, values = super().update(layer, k_codes, v_codes)  # checks size and room before it writes
        end = self.seq_lens[layer]
        new = slice(end - k.shape[2], end)
        self.key_scales[layer, :, :, new] = k_scales
        self.value_scales[layer, :, :, new] = v_scales
        return (
            dequantize(keys, self.key_scales[layer, :, :, :end]).to(self.dtype),
            dequantize(values, self.value_scales[layer, :, :, :end]).to(self.dtype),
        )
