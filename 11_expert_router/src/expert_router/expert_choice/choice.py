"""Expert choice (Zhou et al. 2022): each expert takes the tokens that want it most.

No loss is needed, since every expert takes equally many tokens. But a token is compared with the other tokens of its
text, later ones too. A decoder does not know later tokens when it writes, so this routing is not causal.

Dimensions:
    N  tokens    E  experts    C  tokens of an expert    D  d_model
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..experts import Experts


def choose_tokens(scores: Float[Tensor, "N E"], capacity: int) -> tuple[Float[Tensor, "E C"], Int[Tensor, "E C"]]:
    """(weights, tokens) of each expert: the tokens for which it has the largest probabilities.

    Raises:
        ValueError: the capacity is not between 1 and the number of tokens.
    """
    if not 1 <= capacity <= len(scores):
        raise ValueError(f"capacity={capacity}: must be from 1 to the number of tokens, {len(scores)}")
    weights, tokens = scores.softmax(dim=-1).topk(capacity, dim=0)  # C E
    return weights.T, tokens.T


def expert_choice(
    x: Float[Tensor, "N D"], scores: Float[Tensor, "N E"], experts: Experts, capacity: int
) -> Float[Tensor, "N D"]:
    """Each expert's outputs for the tokens that it chose, added. A token may get several experts, or none."""
    weights, tokens = choose_tokens(scores, capacity)
    out = torch.zeros_like(x)
    for expert in range(len(experts)):
        chosen = tokens[expert]
        out = out.index_add(0, chosen, weights[expert, :, None] * experts(x[chosen], expert))
    return out


def leak(scores: Float[Tensor, "N E"], others: Float[Tensor, "N E"], capacity: int, past: int) -> float:
    """The share of the first `past` tokens whose experts change when all later tokens are exchanged for others.

    0 for a causal router.
    """
    exchanged = torch.cat([scores[:past], others[past:]])
    before, after = (chosen_by(s, capacity)[:past] for s in (scores, exchanged))
    return (before != after).any(dim=1).double().mean().item()


def chosen_by(scores: Float[Tensor, "N E"], capacity: int) -> Tensor:
    """Which experts choose each token: N E, bool."""
    _, tokens = choose_tokens(scores, capacity)
    return torch.zeros_like(scores, dtype=torch.bool).scatter(0, tokens.T, True)
