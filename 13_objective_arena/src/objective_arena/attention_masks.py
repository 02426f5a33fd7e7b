"""The attention mask of each objective, as a tensor and as a picture in characters.

The mask is the whole difference between a writer and a reader: the network is the same.

Dimensions:
    T tokens
"""

import torch
from jaxtyping import Bool
from torch import Tensor

from .causal import causal_attention_mask
from .prefix import prefix_attention_mask


def bidirectional_attention_mask(T: int) -> Bool[Tensor, "T T"]:
    """Every token may look at every token."""
    return torch.ones(T, T, dtype=torch.bool)


def attention_masks(T: int, prefix_length: int) -> dict[str, Bool[Tensor, "T T"]]:
    """The three masks by name."""
    return {
        "causal": causal_attention_mask(T),
        "masked": bidirectional_attention_mask(T),
        "prefix": prefix_attention_mask(torch.tensor([prefix_length]), T)[0],
    }


def draw(mask: Bool[Tensor, "T T"]) -> str:
    """One line a query: `■` for a key that it may look at, `·` for one that it may not."""
    return "\n".join(" ".join("■" if seen else "·" for seen in row) for row in mask.tolist())


def leaks(mask: Bool[Tensor, "T T"]) -> int:
    """How many positions may look at the very token that next-token labels ask of them."""
    return int(mask.diagonal(1).sum())
