"""A cache that never grows: token t is written at slot t mod W, over the token that has left the window.

Mistral 7B's rolling buffer (Jiang et al. 2023), in the order of the text. `sinks.py` has the form that copies nothing.

Dimensions:
    B   sequences        H   heads        D   width of a head
    W   window           n   slots in use
    new, seen            the new tokens; all that they may see
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


class RollingCache:
    """Keys and values of the last W tokens of one layer."""

    def __init__(
        self, batch_size: int, heads: int, window: int, head_dim: int, dtype: torch.dtype = torch.float32
    ) -> None:
        if window < 1:
            raise ValueError(f"window={window}: the cache holds at least one token; use 1 or more")
        self.window = window
        self.keys = torch.zeros(batch_size, heads, window, head_dim, dtype=dtype)
        self.values = torch.zeros_like(self.keys)
        self.position = 0  # tokens that have been written so far

    def update(
        self, k: Float[Tensor, "B H new D"], v: Float[Tensor, "B H new D"]
    ) -> tuple[Float[Tensor, "B H seen D"], Float[Tensor, "B H seen D"]]:
        """Write new tokens. Returns all that the new queries may see: at most W - 1 older tokens, then the new ones.

        The older tokens are read before they are overwritten, because the first new query still needs them.
        """
        oldest = max(self.position - self.window + 1, 0)
        slots = torch.arange(oldest, self.position) % self.window  # in the order of the text
        keys = torch.cat((self.keys[:, :, slots], k), dim=2)
        values = torch.cat((self.values[:, :, slots], v), dim=2)
        end = self.position + k.shape[2]
        kept = torch.arange(self.position, end)[-self.window :]
        self.keys[:, :, kept % self.window] = k[:, :, -self.window :]
        self.values[:, :, kept % self.window] = v[:, :, -self.window :]
        self.position = end
        return keys, values

    def reset(self) -> None:
        """Start a new text in the same memory."""
        self.position = 0


def cache_positions(text_positions: Int[Tensor, "n"]) -> Int[Tensor, "n"]:
    """The position of each slot's token inside the cache: 0 for the oldest that is held, n - 1 for the newest.

    StreamingLLM (Xiao et al. 2023, section 3.2) rotates keys by these positions and not by those of the text. The
    largest position is then n - 1, which the model has met in training, however long the text is.
    """
    order = text_positions.argsort()  # slots from the oldest token to the newest
    return order.argsort()  # the inverse permutation: the place of each slot in that order
