"""Sampling with a cache. The log-probabilities of what was sampled are kept: they are the *old* ones of PPO's ratio.

All prompts of a batch have the same length. An answer ends with the stop token; what follows is padding.

Dimensions:
    B answers   P tokens of the prompt   N tokens of the longest answer   T = P + N
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

PAD, EOS = 0, 1


class Rollout(NamedTuple):
    """Sampled answers. `mask` is true at the tokens of an answer, its stop token included."""

    tokens: Int[Tensor, "B T"]  # prompt and answer
    prompt_len: int
    logprobs: Float[Tensor, "B N"]  # 0 at padding
    mask: Bool[Tensor, "B N"]
    stop_token: int = EOS

    @property
    def real(self) -> Bool[Tensor, "B T"]:
        """Which tokens of prompt and answer are no padding."""
        return torch.cat([torch.ones_like(self.tokens[:, : self.prompt_len], dtype=torch.bool), self.mask], 1)

    @property
    def ended(self) -> Bool[Tensor, "B"]:
        """Which answers have a stop token."""
        return ((self.tokens[:, self.prompt_len :] == self.stop_token) & self.mask).any(1)


@torch.no_grad()
def sample(
    policy,
    prompts: Int[Tensor, "B P"],
    max_new_tokens: int,
    generator: torch.Generator,
    temperature: float | int = 1.0,
    stop_token: int = EOS,
) -> Rollout:
    """One answer to each prompt. `policy` is anything with `new_cache(batch)` that is called like a Decoder.

    Raises:
        ValueError: the temperature is not positive, or no token is asked for.
    """
    if temperature <= 0:
        raise ValueError(f"temperature={temperature}: must be positive; a greedy policy has no log-probabilities")
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens={max_new_tokens}: must be at least 1")
    B, P = prompts.shape
    tokens = torch.full((B, P + max_new_tokens), PAD)
    tokens[:, :P] = prompts
    kept, mask = torch.zeros(B, max_new_tokens), torch.zeros(B, max_new_tokens, dtype=torch.bool)
    cache, new, running = policy.new_cache(B), prompts, torch.ones(B, dtype=torch.bool)
    for n in range(max_new_tokens):
        logprobs = (policy(new, cache)[:, -1] / temperature).log_softmax(-1)  # B V
        chosen = torch.multinomial(logprobs.exp(), 1, generator=generator)  # B 1
        tokens[:, P + n] = torch.where(running, chosen[:, 0], PAD)
        kept[:, n] = torch.where(running, logprobs.gather(1, chosen)[:, 0], 0.0)
        mask[:, n] = running
        running = running & (chosen[:, 0] != stop_token)
        if not running.any():
            break
        new = tokens[:, P + n, None]
    return Rollout(tokens, P, kept, mask, stop_token)
