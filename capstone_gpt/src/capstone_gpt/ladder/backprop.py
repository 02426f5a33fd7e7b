"""Every gradient of an MLP language model by hand: cross-entropy, linear, batch norm, tanh, embedding.

Dimensions:
    B  rows of a batch      T  characters of the context      V  vocabulary      H  hidden units
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .batchnorm import batchnorm_backward, batchnorm_forward


def parameters(vocab_size: int, context: int, n_embd: int, hidden: int, seed: int, dtype=torch.float64) -> dict:
    """Embedding C, hidden layer W1, gain and bias of the batch norm, head W2 and b2."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"C": (vocab_size, n_embd), "W1": (context * n_embd, hidden), "gamma": (hidden,), "beta": (hidden,)}
    shapes |= {"W2": (hidden, vocab_size), "b2": (vocab_size,)}
    return {name: 0.3 * torch.randn(shape, generator=generator, dtype=dtype) for name, shape in shapes.items()}


def forward(p: dict[str, Tensor], x: Int[Tensor, "B T"], y: Int[Tensor, "B"]) -> tuple[Tensor, dict[str, Tensor]]:
    """The mean loss, and what the backward pass needs."""
    embedded = p["C"][x].flatten(1)  # B T·C
    before = embedded @ p["W1"]  # B H
    h = batchnorm_forward(before, p["gamma"], p["beta"]).tanh()
    logits = h @ p["W2"] + p["b2"]  # B V
    log_p = logits - logits.logsumexp(1, keepdim=True)
    return -log_p[torch.arange(len(y)), y].mean(), {"embedded": embedded, "before": before, "h": h, "log_p": log_p}


def gradients(
    p: dict[str, Tensor], x: Int[Tensor, "B T"], y: Int[Tensor, "B"], kept: dict
) -> dict[str, Float[Tensor, "..."]]:
    """The derivative of the loss by each parameter."""
    B = len(y)
    dlogits = kept["log_p"].exp()
    dlogits[torch.arange(B), y] -= 1  # softmax minus the right answer
    dlogits = dlogits / B
    dh = dlogits @ p["W2"].T
    dnormed = dh * (1 - kept["h"] ** 2)  # tanh
    dbefore, dgamma, dbeta = batchnorm_backward(dnormed, kept["before"], p["gamma"])
    dembedded = (dbefore @ p["W1"].T).view(*x.shape, -1)  # B T C
    dC = torch.zeros_like(p["C"]).index_add_(0, x.flatten(), dembedded.flatten(0, 1))  # a character used twice adds up
    made = {"C": dC, "W1": kept["embedded"].T @ dbefore, "gamma": dgamma, "beta": dbeta}
    return made | {"W2": kept["h"].T @ dlogits, "b2": dlogits.sum(0)}
