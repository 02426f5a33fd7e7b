"""Prompt tuning (Lester et al. 2021): the model is frozen, and a few vectors before its input are learnt.

Dimensions:
    B rows   T tokens   P soft tokens   V vocabulary
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..model import Cache, Decoder


class SoftPrompt(nn.Module):
    """A frozen decoder behind P vectors. They begin as the embeddings of random tokens, as the paper advises."""

    def __init__(self, model: Decoder, tokens: int, seed: int = 0):
        super().__init__()
        self.model = model.requires_grad_(False)
        chosen = torch.randint(len(model.wte.weight), (tokens,), generator=torch.Generator().manual_seed(seed))
        self.prompt = nn.Parameter(model.wte.weight[chosen].clone())

    def forward(
        self,
        input_ids: Int[Tensor, "B T"],
        position_ids: Int[Tensor, "B T"] | None = None,
        attention_mask: Bool[Tensor, "B T S"] | None = None,
        cache: Cache | None = None,
    ) -> Float[Tensor, "B T V"]:
        """Logits of the T tokens. Every token sees the soft ones; their positions come first."""
        B, P = len(input_ids), len(self.prompt)
        x = self.model.wte(input_ids)
        if cache:  # the soft tokens are in the cache already
            position_ids = None if position_ids is None else position_ids + P
            attention_mask = None if attention_mask is None else F.pad(attention_mask, (P, 0), value=True)
            return F.linear(self.model.hidden(x, position_ids, attention_mask, cache), self.model.wte.weight)
        x = torch.cat([self.prompt.expand(B, -1, -1), x], 1)
        if position_ids is not None:
            soft = torch.arange(P, device=x.device).expand(B, -1)
            position_ids = torch.cat([soft, position_ids + P], 1)
        if attention_mask is not None:
            attention_mask = F.pad(attention_mask, (P, 0), value=True)
            first = torch.ones(P, attention_mask.shape[2], dtype=torch.bool, device=x.device).tril()
            attention_mask = torch.cat([first.expand(B, -1, -1), attention_mask], 1)
        return F.linear(self.model.hidden(x, position_ids, attention_mask, cache)[:, P:], self.model.wte.weight)
