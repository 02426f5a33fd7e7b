"""From tokens to experts and back, in forms that are obviously right.

    all_experts          every expert on every token, times a weight that is mostly zero: the definition
    loop_over_experts    each expert on its own tokens
    drop_overflow        which assignments fit, when an expert takes a limited number of tokens

Dimensions:
    N  tokens    E  experts    K  experts of a token    D  d_model    G  groups of tokens
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .experts import Experts


def all_experts(
    x: Float[Tensor, "N D"],
    indices: Int[Tensor, "N K"],
    weights: Float[Tensor, "N K"],
    experts: Experts,
    kept: Bool[Tensor, "N K"] | None = None,
) -> Float[Tensor, "N D"]:
    """Σₑ weight(token, e) · expert e(token), over all experts. It costs E/K times what is needed."""
    if kept is not None:
        weights = weights * kept
    everywhere = weights.new_zeros(len(x), len(experts)).scatter(1, indices, weights)  # N E
    gate, up = torch.einsum("nd,efd->nef", x, experts.gate_up_proj).chunk(2, dim=-1)
    outputs = torch.einsum("nef,edf->ned", F.silu(gate) * up, experts.down_proj)
    return torch.einsum("ne,ned->nd", everywhere, outputs)


def loop_over_experts(
    x: Float[Tensor, "N D"],
    indices: Int[Tensor, "N K"],
    weights: Float[Tensor, "N K"],
    experts: Experts,
    kept: Bool[Tensor, "N K"] | None = None,
) -> Float[Tensor, "N D"]:
    """Each expert looks for its tokens, and its outputs are added where they belong."""
    out = torch.zeros_like(x)
    for expert in range(len(experts)):
        is_mine = indices == expert
        if kept is not None:
            is_mine = is_mine & kept
        tokens, choice = is_mine.nonzero(as_tuple=True)
        if len(tokens):
            out = out.index_add(0, tokens, weights[tokens, choice, None] * experts(x[tokens], expert))
    return out


def drop_overflow(indices: Int[Tensor, "G N K"], num_experts: int, capacity_factor: float) -> Bool[Tensor, "G N K"]:
    """True for each assignment that fits (Lepikhin et al. 2020; Fedus et al. 2022, eq. 3).

    In each group, an expert takes at most ⌈capacity_factor · N · K / E⌉ tokens: all first choices in the order of the
    tokens, then all second choices, and so on.

    Raises:
        ValueError: the capacity factor is not positive.
    """
    if capacity_factor <= 0:
        raise ValueError(f"capacity_factor={capacity_factor}: must be positive; 1.0 is an equal share")
    G, N, K = indices.shape
    capacity = math.ceil(capacity_factor * N * K / num_experts)
    queue = indices.transpose(1, 2).flatten(1)  # G K·N
    is_mine = F.one_hot(queue, num_experts)  # G K·N E
    place = (is_mine.cumsum(dim=1) * is_mine).sum(dim=-1)  # G K·N, from 1
    return (place <= capacity).view(G, K, N).transpose(1, 2)
