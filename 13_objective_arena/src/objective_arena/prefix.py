"""Prefix language modelling: read the first part in both directions, write the rest.

Dimensions:
    B texts, T tokens
"""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from .causal import causal_attention_mask, shift_labels


def prefix_attention_mask(prefix_lengths: Int[Tensor, " B"], T: int) -> Bool[Tensor, "B T T"]:
    """True where a query (row) may look at a key (column): at every token of the prefix, and at what came before.

    A prefix of length 0 gives the causal mask, one of length T the bidirectional mask.

    Raises:
        ValueError: a prefix that is negative or longer than the text.
    """
    if ((prefix_lengths < 0) | (prefix_lengths > T)).any():
        raise ValueError(f"prefix_lengths={prefix_lengths.tolist()}: choose lengths of 0 to {T}")
    causal = torch.ones(T, T, dtype=torch.bool).tril()
    in_prefix = torch.arange(T) < prefix_lengths[:, None]  # B T
    return causal | in_prefix[:, None, :]


def prefix_labels(
    ids: Int[Tensor, "B T"], prefix_lengths: Int[Tensor, " B"], ignore_index: int = -100
) -> Int[Tensor, "B T"]:
    """The next token, where that token is not a part of the prefix. The prefix's last position predicts already."""
    predicted = torch.arange(1, ids.shape[1] + 1)  # the token that position t predicts
    return shift_labels(ids, ignore_index).masked_fill(predicted < prefix_lengths[:, None], ignore_index)


__all__ = ["causal_attention_mask", "prefix_attention_mask", "prefix_labels"]
