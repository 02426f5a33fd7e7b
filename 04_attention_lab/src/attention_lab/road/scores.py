"""How well does a decoder's state match each of the encoder's? The two scores that came before √D.

Dimensions:
    B     sequences
    Tq    decoder steps that ask (1 in a decoder that goes step by step)
    Tk    encoder positions
    H     width of a state     A   width of the comparison
"""

import torch
from torch import Tensor, nn

from ..softmax import softmax


class AdditiveScore(nn.Module):
    """score = vᵀ tanh(W q + U k) (Bahdanau et al. 2014): a small network compares. A (2 H + 1) parameters."""

    def __init__(self, width: int, comparison: int):
        super().__init__()
        self.of_query = nn.Linear(width, comparison, bias=False)
        self.of_key = nn.Linear(width, comparison, bias=False)
        self.weight = nn.Linear(comparison, 1, bias=False)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        both = self.of_query(queries)[:, :, None] + self.of_key(keys)[:, None]  # B Tq 1 A + B 1 Tk A -> B Tq Tk A
        return self.weight(torch.tanh(both)).squeeze(-1)  # B Tq Tk


class MultiplicativeScore(nn.Module):
    """score = qᵀ W k (Luong et al. 2015, "general"): one matrix product. Without W it is the dot product."""

    def __init__(self, width: int):
        super().__init__()
        self.of_key = nn.Linear(width, width, bias=False)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        return queries @ self.of_key(keys).transpose(-2, -1)  # B Tq Tk


def attend(scores: Tensor, values: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(the average of the values, the weights). Where the mask is False, nothing is seen."""
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = softmax(scores)
    return weights @ values, weights
