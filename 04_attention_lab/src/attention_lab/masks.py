"""Masks say who may see whom. True: this query may see this key. They combine with `&`.

`nn.MultiheadAttention` means the opposite: its True hides. A test shows both.

Dimensions:
    B    sequences in a batch
    Tq   queries
    Tk   keys
"""

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def causal_mask(query_len: int, key_len: int | None = None) -> Bool[Tensor, "Tq Tk"]:
    """Each position sees itself and what came before it; `key_len` is `query_len` when it is left out.

    The last query stands at the last key (bottom-right alignment): with 4 keys in a cache and 1 new query after them,
    that query is the fifth position and sees all 5 keys. Queries before the first key see nothing.
    """
    key_len = query_len if key_len is None else key_len
    query_position = torch.arange(query_len)[:, None] + key_len - query_len  # Tq 1
    return torch.arange(key_len) <= query_position  # Tq Tk


def padding_mask(lengths: Int[Tensor, "B"], seq_len: int) -> Bool[Tensor, "B 1 1 Tk"]:
    """True at the first `lengths[b]` keys of sequence b; what follows is padding, hidden from all heads and queries.

    Raises:
        ValueError: a length is negative or above `seq_len`.
    """
    if (lengths < 0).any() or (lengths > seq_len).any():
        raise ValueError(f"lengths={lengths.tolist()}: must be between 0 and seq_len={seq_len}")
    return torch.arange(seq_len) < lengths[:, None, None, None]


def combine_masks(*masks: Tensor | None) -> Tensor | None:
    """A key is seen if every mask shows it. None shows everything."""
    given = [mask for mask in masks if mask is not None]
    if not given:
        return None
    combined = given[0]
    for mask in given[1:]:
        combined = combined & mask
    return combined
