"""Keeping the experts busy: losses that punish an uneven load, and a bias that needs no loss.

Dimensions:
    N  tokens (one axis or several)    E  experts    K  experts of a token

`mask` is True for real tokens and False for padding. Padding is nobody's load.

How others normalise the same loss, at perfect balance:
    here, and Switch (Fedus et al. 2022, eq. 4)      1
    `transformers`, Switch: means of each text       1
    `transformers`, Mixtral                          k: its fractions of tokens sum to k
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def expert_load(
    indices: Int[Tensor, "*N K"], num_experts: int, mask: Bool[Tensor, "*N"] | None = None
) -> Int[Tensor, "E"]:
    """How many tokens go to each expert."""
    counted = indices if mask is None else indices[mask]
    return torch.bincount(counted.flatten(), minlength=num_experts)


def load_balancing_loss(
    scores: Float[Tensor, "*N E"], indices: Int[Tensor, "*N K"], mask: Bool[Tensor, "*N"] | None = None
) -> Float[Tensor, ""]:
    """E · Σ fᵢ Pᵢ (Fedus et al. 2022, eq. 4 to 6): 1 at perfect balance, E when one expert has everything.

    fᵢ is the share of the assignments that expert i gets, a count without a gradient. Pᵢ is its mean probability.

    Raises:
        ValueError: the mask hides every token.
    """
    if mask is not None:
        if not mask.any():
            raise ValueError("mask: hides every token; there is no load to balance")
        scores, indices = scores[mask], indices[mask]
    experts = scores.shape[-1]
    share = expert_load(indices, experts) / indices.numel()  # E
    probability = scores.softmax(dim=-1).flatten(0, -2).mean(dim=0)  # E
    return experts * (share * probability).sum()


def z_loss(logits: Float[Tensor, "*N E"], mask: Bool[Tensor, "*N"] | None = None) -> Float[Tensor, ""]:
    """The mean of (logsumexp of a token's logits)²: keeps logits small, so that low precision is enough.

    Zoph et al. 2022 (ST-MoE), eq. 5.

    Raises:
        ValueError: the mask hides every token.
    """
    z = logits.logsumexp(dim=-1)  # N
    if mask is not None:
        if not mask.any():
            raise ValueError("mask: hides every token; there is nothing to average")
        z = z[mask]
    return z.square().mean()


def update_bias(bias: Float[Tensor, "E"], load: Int[Tensor, "E"], rate: float) -> Float[Tensor, "E"]:
    """The bias after one step of loss-free balancing (Wang et al. 2024, algorithm 1; DeepSeek-V3).

    An expert with less than the mean load becomes more wanted by `rate`, one with more less wanted by as much.
    """
    missing = load.double().mean() - load  # E, exact where it is zero
    return bias + rate * missing.sign().to(bias.dtype)


def squared_cv(values: Float[Tensor, "E"]) -> Float[Tensor, ""]:
    """The squared coefficient of variation: variance over squared mean, 0 when all are equal."""
    return values.var(correction=0) / values.mean().square()


def importance_loss(weights: Float[Tensor, "*N K"], indices: Int[Tensor, "*N K"], num_experts: int) -> Tensor:
    """CV² of the experts' summed weights (Shazeer et al. 2017, eq. 6 and 7)."""
    importance = weights.new_zeros(num_experts).index_add(0, indices.flatten(), weights.flatten())
    return squared_cv(importance)


def load_loss(
    logits: Float[Tensor, "*N E"], scores: Float[Tensor, "*N E"], std: Float[Tensor, "*N E"], k: int
) -> Float[Tensor, ""]:
    """CV² of a smooth estimate of the load (Shazeer et al. 2017, appendix A): counts have no gradient, chances do.

    For each token and expert: the chance that the expert is chosen if its own noise alone is drawn again.

    Raises:
        ValueError: every expert is chosen, so that there is no chance to estimate.
    """
    if k >= logits.shape[-1]:
        raise ValueError(f"k={k}: must be less than the number of experts, {logits.shape[-1]}; all are chosen")
    best = scores.topk(k + 1, dim=-1).values  # N k+1
    is_chosen = scores >= best[..., k - 1 : k]
    to_beat = torch.where(is_chosen, best[..., k:], best[..., k - 1 : k])  # the k-th best of the others
    chance = torch.special.ndtr((logits - to_beat) / std)  # N E
    return squared_cv(chance.flatten(0, -2).sum(dim=0))
