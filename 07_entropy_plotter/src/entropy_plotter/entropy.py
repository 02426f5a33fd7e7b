"""Entropy and its relatives, in bits: how much a distribution leaves open, and how much a token tells.

Logarithms are to the base 2, so a fair coin has an entropy of one bit. Perplexity is the same for every base.

Dimensions:
    V   vocabulary        T   tokens of a text
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor


def entropy(logits: Float[Tensor, "*batch V"]) -> Float[Tensor, "*batch"]:
    """H(p) = -Σ p log2 p of the softmax of each row (Shannon 1948). A probability of zero adds zero."""
    probs = logits.softmax(dim=-1)  # *batch V
    return torch.special.entr(probs).sum(dim=-1) / math.log(2)  # entr(p) = -p ln p, and entr(0) = 0


def surprisal(logits: Float[Tensor, "*batch V"], tokens: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """-log2 p(token): how many bits a token tells. Its mean over draws from p is the entropy."""
    log_probs = logits.log_softmax(dim=-1)
    return -log_probs.gather(-1, tokens[..., None]).squeeze(-1) / math.log(2)


def varentropy(logits: Float[Tensor, "*batch V"]) -> Float[Tensor, "*batch"]:
    """The variance of the surprisal, in bits². It is zero for a uniform row, and for a certain one."""
    log_probs = logits.log_softmax(dim=-1)
    probs = log_probs.exp()
    bits = torch.where(probs > 0, -log_probs / math.log(2), 0.0)  # *batch V
    mean = (probs * bits).sum(dim=-1, keepdim=True)
    return (probs * (bits - mean).square()).sum(dim=-1)


def cross_entropy(logits: Float[Tensor, "*batch V"], probs: Float[Tensor, "*batch V"]) -> Float[Tensor, "*batch"]:
    """-Σ p log2 q: bits a token when p draws and the softmax of `logits`, q, predicts. Infinite where q misses p."""
    bits = -logits.log_softmax(dim=-1) / math.log(2)
    return torch.where(probs > 0, probs * bits, 0.0).sum(dim=-1)


def kl_divergence(logits: Float[Tensor, "*batch V"], probs: Float[Tensor, "*batch V"]) -> Float[Tensor, "*batch"]:
    """Σ p log2(p / q): the bits that cross-entropy costs above the entropy of p (Kullback and Leibler 1951)."""
    own = torch.special.entr(probs).sum(dim=-1) / math.log(2)
    return cross_entropy(logits, probs) - own


def perplexity(logits: Float[Tensor, "*batch V"], tokens: Int[Tensor, "*batch"]) -> float:
    """2 to the mean surprisal: the number of equally likely tokens that would be as hard to guess."""
    return float(2 ** surprisal(logits, tokens).mean())


def by_token(
    logits: Float[Tensor, "T V"], tokens: Int[Tensor, "T"]
) -> tuple[Float[Tensor, "T-1"], Float[Tensor, "T-1"]]:
    """(surprisal, entropy) of every token of a text but the first. `logits[t]` are those after token t.

    Raises:
        ValueError: the text has fewer than two tokens.
    """
    if len(tokens) < 2:
        raise ValueError(f"tokens={len(tokens)}: a text of at least two tokens has something to predict")
    before, after = logits[:-1], tokens[1:]  # T-1 V and T-1
    return surprisal(before, after), entropy(before)
