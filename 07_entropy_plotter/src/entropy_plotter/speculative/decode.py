"""The loop around the rule: draft, verify in one pass of the target, crop what was rejected out of the caches.

Dimensions:
    G   drafted tokens        V   vocabulary        T   tokens of the prompt
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..sample import LanguageModel, draw, sample, streams
from ..warpers import SamplingParams, warp
from .accept import speculative_accept


@dataclass
class SpeculativeRun:
    """What came out, and what it took."""

    tokens: list[int]
    added: list[int] = field(default_factory=list)  # tokens that each pass of the target added
    gamma: int = 0

    @property
    def tokens_per_pass(self) -> float:
        return sum(self.added) / max(1, len(self.added))

    @property
    def acceptance(self) -> float:
        """The share of the drafted tokens that were looked at and kept."""
        looked_at = [min(n, self.gamma) for n in self.added]
        kept = [n - 1 for n in self.added]
        return sum(kept) / max(1, sum(looked_at))


def expected_tokens(acceptance: int | float, gamma: int) -> float:
    """Tokens a pass, if each draft is kept with this probability, independently (Leviathan et al., equation 1)."""
    return gamma + 1.0 if acceptance == 1 else (1 - acceptance ** (gamma + 1)) / (1 - acceptance)


def warped_probs(logits: Float[Tensor, "T V"], tokens: list[int], params: SamplingParams) -> Float[Tensor, "T V"]:
    """The distributions that decoding draws from. Row t follows all tokens but the last T - 1 - t."""
    rows = []
    for t, row in enumerate(logits):
        seen = torch.tensor([tokens[: len(tokens) - len(logits) + 1 + t]])
        rows.append(warp(row[None].double(), seen, params).softmax(dim=-1)[0])
    return torch.stack(rows)


@torch.no_grad()
def speculative_generate(
    target: LanguageModel,
    draft: LanguageModel,
    prompt: Int[Tensor, "T"],
    max_new_tokens: int,
    gamma: int = 4,
    params: SamplingParams | None = None,
    seed: int = 0,
) -> SpeculativeRun:
    """At least `max_new_tokens` after the prompt, distributed as if the target had drawn each one.

    Raises:
        ValueError: the prompt is empty, gamma is below 1, or the vocabularies differ.
    """
    if len(prompt) == 0 or gamma < 1 or target.vocab_size != draft.vocab_size:
        raise ValueError(f"prompt={len(prompt)}, gamma={gamma}: need a prompt, gamma of 1 or more, and one vocabulary")
    params = params or SamplingParams()
    run = SpeculativeRun(prompt.tolist(), gamma=gamma)
    target_cache, draft_cache = target.new_cache(), draft.new_cache()
    generators = streams(seed, 1)
    while len(run.tokens) - len(prompt) < max_new_tokens:
        start = len(run.tokens)
        tokens, draft_probs = run.tokens, []
        for _ in range(gamma):
            new = torch.tensor([tokens[draft_cache.position :]])
            row = warped_probs(draft(new, draft_cache)[0, -1:], tokens, params)  # 1 V
            draft_probs.append(row[0])
            tokens = [*tokens, int(sample(row.log(), draw(generators)))]
        new = torch.tensor([tokens[target_cache.position :]])
        logits = target(new, target_cache)[0, -gamma - 1 :]  # G+1 V
        uniforms = torch.cat([draw(generators) for _ in range(gamma + 1)])
        drafted = torch.tensor(tokens[start:])
        added = speculative_accept(warped_probs(logits, tokens, params), torch.stack(draft_probs), drafted, uniforms)
        run.tokens = [*run.tokens, *added]
        run.added.append(len(added))
        for cache in (target_cache, draft_cache):
            cache.crop(len(run.tokens) - 1)  # the newest token has not been fed
    return run
