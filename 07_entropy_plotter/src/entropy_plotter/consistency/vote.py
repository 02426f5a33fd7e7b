"""The vote of self-consistency (Wang et al. 2023), and what independent chains would reach."""

from collections import Counter
from math import comb

import torch
from jaxtyping import Float
from torch import Tensor


def majority_vote(chains: list[str], marker: str = "=") -> str | None:
    """The most frequent answer. A chain's answer is what follows its last marker, without the white space around it.

    Different chains with one answer vote together. A chain without a marker, or with nothing after it, has no vote. Of
    equally frequent answers the one that was given first wins. Without any vote: None.
    """
    answers = [chain.rpartition(marker)[2].strip() for chain in chains if marker in chain]
    votes = Counter(answer for answer in answers if answer)
    return max(votes, key=votes.get) if votes else None  # max takes the first of equals, Counter keeps their order


def binomial_majority(p: int | float, k: int) -> float:
    """The probability that more than half of k independent chains are right, if each is with probability p.

    Condorcet's jury. Half of the cases in which exactly half are right count too.
    """
    terms = [comb(k, right) * p**right * (1 - p) ** (k - right) for right in range(k + 1)]
    return sum(terms[k // 2 + 1 :]) + (terms[k // 2] / 2 if k % 2 == 0 else 0.0)


def plurality(shares: Float[Tensor, "answers"], k: int, draws: int = 4000, seed: int = 0) -> float:
    """The probability that answer 0 has most of k independent votes, ties shared; by drawing.

    `shares` are the probabilities of the answers, the right one first.
    """
    generator = torch.Generator().manual_seed(seed)
    votes = torch.multinomial(shares.expand(draws, -1), k, replacement=True, generator=generator)
    counts = torch.zeros(draws, len(shares)).scatter_add_(1, votes, torch.ones(draws, k))
    best = counts.amax(dim=1, keepdim=True)
    winners = (counts == best).sum(dim=1)
    return float(((counts[:, 0] == best[:, 0]) / winners).mean())
