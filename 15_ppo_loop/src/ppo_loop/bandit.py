"""A world with one prompt and a handful of answers. Its optimum under a KL penalty is a formula:

    policy*(y) = reference(y) exp(r(y) / beta) / Z

It maximises E[r] - beta KL(policy || reference). DPO, the policy gradient and PPO all have to find it.

Dimensions:
    V answers
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from .ppo import ppo_clip_loss


def optimal_policy(
    ref_logits: Float[Tensor, "V"], rewards: Float[Tensor, "V"], beta: float | int
) -> Float[Tensor, "V"]:
    """reference · exp(r / beta), normalised. Raises ValueError if beta is not positive."""
    if beta <= 0:
        raise ValueError(f"beta={beta}: must be positive; without a penalty the best answer takes everything")
    return (ref_logits.log_softmax(-1) + rewards / beta).softmax(-1)


def preference_probabilities(rewards: Float[Tensor, "V"]) -> Float[Tensor, "V V"]:
    """How often answer i is preferred to answer j, by Bradley and Terry."""
    return torch.sigmoid(rewards[:, None] - rewards[None, :])


def fit_dpo(
    ref_logits: Float[Tensor, "V"], rewards: Float[Tensor, "V"], beta: float | int, steps: int = 60
) -> Float[Tensor, "V"]:
    """The policy that minimises DPO's loss over all pairs, each as often as it is preferred."""
    wins, ref = preference_probabilities(rewards), ref_logits.log_softmax(-1)
    logits = ref_logits.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([logits], max_iter=steps, tolerance_grad=1e-14, tolerance_change=1e-18,
                                  line_search_fn="strong_wolfe")  # fmt: skip

    def closure():
        optimizer.zero_grad()
        implicit = beta * (logits.log_softmax(-1) - ref)  # DPO's own reward
        loss = -(wins * F.logsigmoid(implicit[:, None] - implicit[None, :])).sum()
        loss.backward()
        return loss

    for _ in range(10):
        optimizer.step(closure)
    return logits.detach().softmax(-1)


def fit_policy_gradient(
    ref_logits: Float[Tensor, "V"], rewards: Float[Tensor, "V"], beta: float | int, steps: int = 2000, lr: float = 0.05
) -> Float[Tensor, "V"]:
    """Ascend the exact gradient: the mean over answers of (r - beta log ratio - baseline) times the score function."""
    ref, logits = ref_logits.log_softmax(-1), ref_logits.clone().requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=lr)
    for _ in range(steps):
        logprobs = logits.log_softmax(-1)
        weights = logprobs.detach().exp()
        shaped = rewards - beta * (logprobs.detach() - ref)
        optimizer.zero_grad()
        (-(weights * (shaped - weights @ shaped) * logprobs).sum()).backward()
        optimizer.step()
    return logits.detach().softmax(-1)


def fit_ppo(
    ref_logits: Float[Tensor, "V"],
    rewards: Float[Tensor, "V"],
    beta: float | int,
    steps: int = 300,
    samples: int = 2048,
    epochs: int = 2,
    lr: float | int = 0.03,
    seed: int = 0,
) -> Float[Tensor, "V"]:
    """PPO from samples: KL in the reward, the batch's mean as baseline, clipped ratios, a falling learning rate."""
    generator = torch.Generator().manual_seed(seed)
    ref, logits = ref_logits.log_softmax(-1), ref_logits.clone().requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=lr)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for _ in range(steps):
        old = logits.detach().log_softmax(-1)
        answers = torch.multinomial(old.exp(), samples, replacement=True, generator=generator)
        shaped = rewards[answers] - beta * (old - ref)[answers]
        advantages = (shaped - shaped.mean())[None]
        for _ in range(epochs):
            new = logits.log_softmax(-1)[answers][None]
            loss = ppo_clip_loss(new, old[answers][None], advantages, torch.ones(1, samples, dtype=torch.bool))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    return logits.detach().softmax(-1)
