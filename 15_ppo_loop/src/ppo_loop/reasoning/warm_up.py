"""Supervised warm-up: reinforcement learning can only strengthen what is sampled now and then."""

import torch

from ..logprobs import answer_logprobs
from ..model import Config, Decoder
from ..rollout import PAD, sample
from .sums import CHAIN, DIRECT, Sums


def accuracy(policy: Decoder, sums: Sums, count: int = 256, seed: int = 77) -> dict[str, float]:
    """The compliance of sampled answers to fresh prompts."""
    generator = torch.Generator().manual_seed(seed)
    return sums.compliance(sample(policy, sums.prompts(count, generator), sums.max_new_tokens, generator))


def warm_up(
    digits: int = 4,
    until: float | int = 0.3,
    most: int = 800,
    lr: float | int = 3e-3,
    batch: int = 128,
    d_model: int = 64,
    seed: int = 0,
) -> Decoder:
    """A model that has seen demonstrations of both modes, half of each batch.

    It stops at the first check, every 20 steps, at which so large a share of the chains ends in the right digit.
    """
    modes = {mode: Sums(mode, digits) for mode in (DIRECT, CHAIN)}
    chain = modes[CHAIN]
    policy = Decoder(Config(Sums.vocab_size, chain.prompt_len + chain.max_new_tokens, d_model, 2, 4), seed)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(policy.parameters(), lr=lr)
    for step in range(most):
        if step % 20 == 0 and accuracy(policy, chain)["correct"] >= until:
            break
        tokens = torch.cat([sums.demonstrations(sums.prompts(batch // 2, generator)) for sums in modes.values()])
        answers = tokens[:, digits + 1 :]
        loss = -answer_logprobs(policy(tokens), tokens, digits + 1)[answers != PAD].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return policy
