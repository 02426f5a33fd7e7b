"""The best of n sampled answers, by a proxy. No training, and its KL to the policy is known exactly.

Dimensions:
    P prompts   M answers to each
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def best_of_n_kl(n: int) -> float:
    """log n - (n - 1) / n, for rewards without ties. Raises ValueError below one answer."""
    if n < 1:
        raise ValueError(f"n={n}: must be at least 1")
    return math.log(n) - (n - 1) / n


def best_of_n(
    proxy: Float[Tensor, "P M"], gold: Float[Tensor, "P M"], n: int
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """(mean proxy, mean gold) of the answer that the proxy likes best among n, over all subsets of n of the M answers.

    Sorted by the proxy, the k-th smallest of M is the best of a random subset with probability C(k-1, n-1) / C(M, n)
    (Nakano et al. 2021, appendix I).

    Raises:
        ValueError: n is not from 1 to M.
    """
    M = proxy.shape[1]
    if not 1 <= n <= M:
        raise ValueError(f"n={n}: must be from 1 to {M}, the answers to each prompt")
    weights = torch.tensor([math.comb(k, n - 1) / math.comb(M, n) for k in range(M)], dtype=proxy.dtype)
    order = proxy.argsort(1)
    return tuple((x.gather(1, order) @ weights).mean() for x in (proxy, gold))
