"""Causal language modelling: every token predicts the next one.

The model may look at earlier tokens only, so each position of a text is a training example. The label of position t is
token t + 1. Labels of -100 are left out of the loss; PyTorch and Hugging Face use the same number.

Dimensions:
    B texts, T tokens
"""

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def shift_labels(ids: Int[Tensor, "B T"], ignore_index: int = -100) -> Int[Tensor, "B T"]:
    """The next token as the label of each position. The last position has none: its label is `ignore_index`.

    A model whose own loss shifts the labels (Hugging Face's do) takes `ids` themselves: shifting twice asks for the
    token after the next one.
    """
    labels = torch.full_like(ids, ignore_index)
    labels[:, :-1] = ids[:, 1:]
    return labels


def causal_labels(
    ids: Int[Tensor, "B T"], attention_mask: Bool[Tensor, "B T"], ignore_index: int = -100
) -> Int[Tensor, "B T"]:
    """Labels of padded texts. A position counts if it holds a token (`attention_mask`) and the next one does too.

    This mask says what is padding, as in Hugging Face. The masks (T, T) of this chapter say who may look at whom.
    """
    next_is_token = shift_labels(attention_mask.long(), 0).bool()
    counts = attention_mask & next_is_token
    return shift_labels(ids).masked_fill(~counts, ignore_index)


def causal_attention_mask(T: int) -> Bool[Tensor, "T T"]:
    """True where a query (row) may look at a key (column): at itself and at what came before."""
    return torch.ones(T, T, dtype=torch.bool).tril()
