"""How much better was a token than expected? Generalised advantage estimation (Schulman et al. 2016), and whitening.

Dimensions:
    B answers   N tokens of the longest answer; `mask` is true at real tokens, padding stands on the right
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@torch.no_grad()
def gae(
    rewards: Float[Tensor, "B N"],
    values: Float[Tensor, "B N"],
    mask: Bool[Tensor, "B N"],
    gamma: float | int = 1.0,
    lam: float | int = 0.95,
) -> tuple[Float[Tensor, "B N"], Float[Tensor, "B N"]]:
    """Advantages and returns. After an answer's last token nothing is worth anything.

    delta_t = r_t + gamma * V_{t+1} - V_t,   A_t = delta_t + gamma * lam * A_{t+1},   return_t = A_t + V_t.
    """
    advantages = torch.zeros_like(rewards)
    next_value = next_advantage = torch.zeros_like(rewards[:, 0])  # B
    for t in reversed(range(rewards.shape[1])):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        advantages[:, t] = torch.where(mask[:, t], delta + gamma * lam * next_advantage, 0)
        next_value = torch.where(mask[:, t], values[:, t], 0)
        next_advantage = advantages[:, t]
    returns = torch.where(mask, advantages + values, 0)
    return advantages, returns


def whiten(x: Float[Tensor, "B N"], mask: Bool[Tensor, "B N"], shift_mean: bool = True) -> Float[Tensor, "B N"]:
    """(x - mean) / sqrt(variance + 1e-8) over the real tokens; zero at padding.

    The variance is the sum of squared distances from the mean, divided by the number of real tokens minus one. With
    `shift_mean=False` the mean stays as it is and only the distance from it is scaled: so rewards keep their sign.

    Raises:
        ValueError: fewer than two real tokens have no variance.
    """
    if mask.sum() < 2:
        raise ValueError("mask: at least two real tokens are needed for a variance")
    mean, var = x[mask].mean(), x[mask].var()
    whitened = (x - mean) * torch.rsqrt(var + 1e-8)
    if not shift_mean:
        whitened = whitened + mean
    return torch.where(mask, whitened, 0)
