"""Gao et al. (2022), "Scaling laws for reward model overoptimization": gold reward against d = sqrt(KL).

    best of n:  R(d) = d (a - b d)        reinforcement learning:  R(d) = d (a - b log d)

Both are linear in a and b, so a fit is least squares.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def fit_bon(d: np.ndarray, gold: np.ndarray) -> tuple[float, float]:
    """(a, b) of d (a - b d), gold measured from its value at d = 0."""
    return fit(np.stack([d, -d * d], 1), gold)


def fit_rl(d: np.ndarray, gold: np.ndarray) -> tuple[float, float]:
    """(a, b) of d (a - b log d), for d above 0."""
    return fit(np.stack([d, -d * np.log(d)], 1), gold)


def fit(columns: np.ndarray, gold: np.ndarray) -> tuple[float, float]:
    found, *_ = np.linalg.lstsq(columns, gold, rcond=None)
    return float(found[0]), float(found[1])


def heavy_tailed_proxy(
    prompts: int, answers: int, degrees: float | int = 2.0, noise: float = 1.0, seed: int = 0
) -> tuple[Float[Tensor, "P M"], Float[Tensor, "P M"]]:
    """(proxy, gold): a normal gold reward, and a proxy whose error has Student's heavy tails.

    With a normal error the best of n always gains, only less. With heavy tails the largest proxies are errors, and the
    gold reward of the best of n falls back to the mean.
    """
    generator = torch.Generator().manual_seed(seed)
    gold = torch.randn(prompts, answers, generator=generator)
    normal = torch.randn(prompts, answers, generator=generator)
    if degrees == float("inf"):
        return gold + noise * normal, gold
    count = int(degrees)
    squares = torch.randn(count, prompts, answers, generator=generator).square().sum(0)
    return gold + noise * normal / (squares / count).sqrt(), gold
