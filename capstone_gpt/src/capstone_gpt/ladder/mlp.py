"""A neural language model over a fixed context (Bengio et al. 2003): embed, concatenate, one hidden layer or several.

Dimensions:
    B  rows of a batch      T  characters of the context      V  vocabulary
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class MLPModel(nn.Module):
    """`depth` hidden layers of tanh, with batch normalisation if asked for. The head starts small: the loss at ln V."""

    def __init__(self, vocab_size: int, context: int, n_embd: int = 10, hidden: int = 200, depth: int = 1,
                 batch_norm: bool = False):  # fmt: skip
        super().__init__()
        self.wte = nn.Embedding(vocab_size, n_embd)
        layers, n_in = [], context * n_embd
        for _ in range(depth):
            layers.append(nn.Linear(n_in, hidden, bias=not batch_norm))
            layers += [nn.BatchNorm1d(hidden)] if batch_norm else []
            layers.append(nn.Tanh())
            n_in = hidden
        self.body, self.lm_head = nn.Sequential(*layers), nn.Linear(n_in, vocab_size)
        with torch.no_grad():
            self.lm_head.weight *= 0.1
            self.lm_head.bias.zero_()

    def forward(self, x: Int[Tensor, "B T"]) -> Float[Tensor, "B V"]:
        return self.lm_head(self.body(self.wte(x).flatten(1)))
