"""Direct preference optimisation (Rafailov et al. 2023) and identity preference optimisation (Azar et al. 2023).

The optimum of the RLHF objective is reference · exp(r / beta) / Z. Solved for the reward, r = beta log(policy /
reference) + beta log Z, and log Z cancels in the difference of two answers to one prompt. So the Bradley–Terry loss can
be written with the policy alone.

Dimensions:
    B pairs   C, R tokens of the longest chosen and rejected text; the masks are true at answer tokens
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def dpo_loss(
    chosen: Float[Tensor, "B C"],
    rejected: Float[Tensor, "B R"],
    ref_chosen: Float[Tensor, "B C"],
    ref_rejected: Float[Tensor, "B R"],
    chosen_mask: Bool[Tensor, "B C"],
    rejected_mask: Bool[Tensor, "B R"],
    beta: float | int = 0.1,
) -> Float[Tensor, ""]:
    """-log sigmoid(beta (log ratio of the chosen - log ratio of the rejected answer)), the mean over pairs."""
    chosen_reward = answer_log_ratio(chosen, ref_chosen, chosen_mask)  # B
    rejected_reward = answer_log_ratio(rejected, ref_rejected, rejected_mask)  # B
    return -F.logsigmoid(beta * (chosen_reward - rejected_reward)).mean()


def answer_log_ratio(
    logprobs: Float[Tensor, "B N"], ref_logprobs: Float[Tensor, "B N"], mask: Bool[Tensor, "B N"]
) -> Float[Tensor, "B"]:
    """log policy(answer) - log reference(answer): the sum over the answer's tokens. The reference is a constant."""
    return torch.where(mask, logprobs - ref_logprobs.detach(), 0).sum(1)


def ipo_loss(
    chosen: Float[Tensor, "B C"],
    rejected: Float[Tensor, "B R"],
    ref_chosen: Float[Tensor, "B C"],
    ref_rejected: Float[Tensor, "B R"],
    chosen_mask: Bool[Tensor, "B C"],
    rejected_mask: Bool[Tensor, "B R"],
    beta: float | int = 0.1,
) -> Float[Tensor, ""]:
    """(mean log ratio of the chosen - that of the rejected - 1 / (2 beta))²: a margin that is reached, not pushed.

    The authors' form for texts: means over each answer's tokens, not sums.
    """
    chosen_mean = answer_log_ratio(chosen, ref_chosen, chosen_mask) / chosen_mask.sum(1)
    rejected_mean = answer_log_ratio(rejected, ref_rejected, rejected_mask) / rejected_mask.sum(1)
    return (chosen_mean - rejected_mean - 1 / (2 * beta)).square().mean()
