"""Proximal policy optimisation for answers (Schulman et al. 2017; Ziegler et al. 2019; Stiennon et al. 2020).

Every loss is a mean over the real tokens of all answers. What was measured at sampling time (old log-probabilities,
old values, advantages, returns) is a constant: no gradient flows into it.

Dimensions:
    B answers   N tokens of the longest answer; `mask` is true at real tokens
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@torch.no_grad()
def shaped_rewards(
    scores: Float[Tensor, "B"],
    logprobs: Float[Tensor, "B N"],
    ref_logprobs: Float[Tensor, "B N"],
    mask: Bool[Tensor, "B N"],
    beta: float | int,
) -> Float[Tensor, "B N"]:
    """-beta (log policy - log reference) at every real token, and the answer's score at its last one.

    Raises:
        ValueError: an answer without a token.
    """
    if not mask.any(1).all():
        raise ValueError("mask: every answer needs a token")
    rewards = torch.where(mask, -beta * (logprobs - ref_logprobs), 0)
    last = mask.sum(1) - 1  # B
    rewards[torch.arange(len(scores)), last] += scores
    return rewards


def ppo_clip_loss(
    logprobs: Float[Tensor, "B N"],
    old_logprobs: Float[Tensor, "B N"],
    advantages: Float[Tensor, "B N"],
    mask: Bool[Tensor, "B N"],
    clip: float | int = 0.2,
) -> Float[Tensor, ""]:
    """The pessimistic one of the plain and the clipped objective, as a loss (PPO, equation 7)."""
    ratio = (logprobs - old_logprobs.detach())[mask].exp()
    advantages = advantages.detach()[mask]
    clipped = ratio.clamp(1 - clip, 1 + clip)
    return torch.max(-advantages * ratio, -advantages * clipped).mean()


def value_loss(
    values: Float[Tensor, "B N"],
    old_values: Float[Tensor, "B N"],
    returns: Float[Tensor, "B N"],
    mask: Bool[Tensor, "B N"],
    clip: float | int = 0.2,
) -> Float[Tensor, ""]:
    """Half the squared error of the value or of the value that moved at most `clip`, whichever is larger."""
    values, old, returns = values[mask], old_values.detach()[mask], returns.detach()[mask]
    clipped = old + (values - old).clamp(-clip, clip)
    return 0.5 * torch.max((values - returns).square(), (clipped - returns).square()).mean()


def adapt_kl_coef(
    beta: float | int, kl: float | int, target: float | int, samples: int, horizon: int = 10_000
) -> float:
    """The KL coefficient after a batch: larger when KL is above its target (Ziegler et al. 2019, section 2.2).

    The relative error is clipped to ±0.2, and weighs as much as the batch's share of the horizon.

    Raises:
        ValueError: the target is not positive.
    """
    if target <= 0:
        raise ValueError(f"target={target}: must be positive; for no penalty set beta to 0")
    error = min(max(kl / target - 1, -0.2), 0.2)
    return beta * (1 + error * samples / horizon)
