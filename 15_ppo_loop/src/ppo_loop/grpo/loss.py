"""Group-relative policy optimisation (Shao et al. 2024) and its two biases (Liu et al. 2025, "Dr. GRPO").

Dividing by the group's deviation makes prompts that are almost always solved, or almost never, weigh more. Dividing
each answer's loss by its own length makes a token of a long wrong answer count less than one of a short wrong answer.

Dimensions:
    A answers, the group_size answers to a prompt next to each other   N tokens of the longest
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..kl import k3_estimator

LOSS_TYPES = ("grpo", "bnpo", "dr_grpo")  # TRL's names


def group_advantages(
    rewards: Float[Tensor, "A"], mask: Bool[Tensor, "A N"], group_size: int, scale_std: bool = True
) -> Float[Tensor, "A N"]:
    """How much better an answer is than its group, at each of its tokens; zero at padding.

    (r - mean of the group) / (deviation of the group + 1e-4); `scale_std=False` leaves the division out (Dr. GRPO).

    Raises:
        ValueError: a group of fewer than two, or answers that do not fill whole groups.
    """
    if group_size < 2 or len(rewards) % group_size:
        raise ValueError(f"group_size={group_size}: must be at least 2 and divide {len(rewards)} answers")
    groups = rewards.view(-1, group_size)
    advantages = groups - groups.mean(1, keepdim=True)
    if scale_std:
        advantages = advantages / (groups.std(1, keepdim=True) + 1e-4)
    return advantages.view(-1, 1) * mask


def grpo_loss(
    logprobs: Float[Tensor, "A N"],
    old_logprobs: Float[Tensor, "A N"],
    ref_logprobs: Float[Tensor, "A N"],
    advantages: Float[Tensor, "A N"],
    mask: Bool[Tensor, "A N"],
    clip: float | int = 0.2,
    beta: float | int = 0.04,
    loss_type: str = "grpo",
    correct_kl: bool = False,
) -> Float[Tensor, ""]:
    """PPO's clipped objective and beta times k3, per token; then the average that `loss_type` names.

    With `correct_kl`, k3 is multiplied by the ratio. Its gradient is then that of KL(policy || reference), which the
    plain k3 has not (DeepSeek-V3.2; the default of TRL).

    "grpo": over each answer's tokens, then over answers. "bnpo": over all tokens. "dr_grpo": the sum over all tokens
    divided by a constant, here the number of answers times N.

    Raises:
        ValueError: no such loss type.
    """
    if loss_type not in LOSS_TYPES:
        raise ValueError(f"loss_type={loss_type!r}: must be one of {', '.join(LOSS_TYPES)}")
    ratio = (logprobs - old_logprobs.detach()).exp()
    clipped = ratio.clamp(1 - clip, 1 + clip)
    per_token = -torch.min(ratio * advantages, clipped * advantages)
    kl = k3_estimator(logprobs, ref_logprobs.detach())
    per_token = per_token + beta * (kl * ratio if correct_kl else kl)
    per_token = torch.where(mask, per_token, 0)
    if loss_type == "grpo":
        return (per_token.sum(1) / mask.sum(1)).mean()
    return per_token.sum() / (mask.sum() if loss_type == "bnpo" else mask.numel())
