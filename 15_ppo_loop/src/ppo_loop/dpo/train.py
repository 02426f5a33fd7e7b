"""The DPO loop. The reference's log-probabilities do not change, so they are computed once."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ..logprobs import answer_logprobs
from ..model import Decoder
from ..reward_model import Pairs
from ..rollout import Rollout
from .loss import dpo_loss


def rollout_logprobs(policy: Decoder, rollout: Rollout) -> Float[Tensor, "B N"]:
    """Log-probabilities of given answers."""
    return answer_logprobs(policy(rollout.tokens), rollout.tokens, rollout.prompt_len)


def train_dpo(
    policy: Decoder,
    pairs: Pairs,
    steps: int,
    beta: float | int = 0.1,
    lr: float | int = 1e-3,
    batch: int = 64,
    seed: int = 0,
    loss_function: Callable = dpo_loss,
) -> list[float]:
    """Train the policy in place on preferences; returns the loss of each step."""
    generator, losses = torch.Generator().manual_seed(seed), []
    optimizer = torch.optim.Adam(policy.parameters(), lr=lr, eps=1e-5)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    with torch.no_grad():
        references = [rollout_logprobs(policy, side) for side in pairs]
    for _ in range(steps):
        rows = torch.randint(len(pairs.chosen.tokens), (batch,), generator=generator)
        some = pairs.take(rows)
        now = [rollout_logprobs(policy, side) for side in some]
        loss = loss_function(*now, *(ref[rows] for ref in references), *(side.mask for side in some), beta)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses
