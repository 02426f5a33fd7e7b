"""A tree over the context, two neighbours at a time (the idea of WaveNet, van den Oord et al. 2016).

Dimensions:
    B  rows of a batch      T  characters of the context, a power of two      C  channels      V  vocabulary
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class WaveNetModel(nn.Module):
    """Each layer joins pairs of neighbours, so that T characters need log2(T) layers."""

    def __init__(self, vocab_size: int, context: int = 8, n_embd: int = 24, hidden: int = 128):
        super().__init__()
        if context & (context - 1) or context < 2:
            raise ValueError(f"context={context}: must be a power of two from 2 on")
        self.wte = nn.Embedding(vocab_size, n_embd)
        sizes = [n_embd] + [hidden] * (context.bit_length() - 1)
        self.layers = nn.ModuleList([nn.Linear(2 * a, b, bias=False) for a, b in zip(sizes, sizes[1:], strict=False)])
        self.norms = nn.ModuleList([nn.BatchNorm1d(b) for b in sizes[1:]])
        self.lm_head = nn.Linear(hidden, vocab_size)
        with torch.no_grad():
            self.lm_head.weight *= 0.1

    def forward(self, x: Int[Tensor, "B T"]) -> Float[Tensor, "B V"]:
        h = self.wte(x)  # B T C
        for layer, norm in zip(self.layers, self.norms, strict=True):
            B, T, C = h.shape
            joined = layer(h.reshape(B * T // 2, 2 * C))
            h = norm(joined).tanh().view(B, T // 2, -1)
        return self.lm_head(h.squeeze(1))
