"""What a decoder keeps between two tokens: keys and values of each layer, and the last input of each token shift.

Dimensions:
    B  rows of a batch      T  new tokens      Tk  all tokens held
    H  heads                D  width of a head C   width of the model
"""

import torch
from jaxtyping import Float
from torch import Tensor


class KVCache:
    """Grows by concatenation: plain, and enough for samples. `position` is the position of the next token."""

    def __init__(self):
        self.position = 0
        self.layers: dict[int, tuple[Tensor, Tensor]] = {}
        self.last: dict[str, Tensor] = {}

    def update(
        self, layer: int, k: Float[Tensor, "B H T D"], v: Float[Tensor, "B H T D"]
    ) -> tuple[Float[Tensor, "B H Tk D"], Float[Tensor, "B H Tk D"]]:
        """Add the new tokens of one layer; returns all its keys and values."""
        if layer in self.layers:
            k, v = (torch.cat([old, new], dim=2) for old, new in zip(self.layers[layer], (k, v), strict=True))
        self.layers[layer] = k, v
        return k, v

    def shift(self, key: str, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        """Each token's predecessor, zeros before the first token of the text."""
        before = self.last.get(key, torch.zeros_like(x[:, :1]))
        self.last[key] = x[:, -1:]
        return torch.cat([before, x[:, :-1]], dim=1)
